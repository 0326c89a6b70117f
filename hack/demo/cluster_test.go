package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestALeaseIsHeld(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lease := func(holder string, age time.Duration) coordinationv1.LeaseSpec {
		seconds, renewed := int32(15), metav1.NewMicroTime(now.Add(-age))
		return coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &renewed}
	}
	for name, test := range map[string]struct {
		lease coordinationv1.LeaseSpec
		want  bool
	}{
		"while it is renewed":                  {lease("operator", 14*time.Second), true},
		"not when it was not renewed in time":  {lease("operator", 15*time.Second), false},
		"not when its holder gave it back":     {lease("", time.Second), false},
		"not before anybody has ever taken it": {coordinationv1.LeaseSpec{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, held(test.lease, now))
		})
	}
}
