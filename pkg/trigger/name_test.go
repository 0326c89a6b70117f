package trigger

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestJobName(t *testing.T) {
	t.Run("is the same for ever: two releases that disagree would run a number twice", func(t *testing.T) {
		assert.Equal(t, "demo-lcchf31scd", JobName("demo", "00000000-0000-0000-0000-000000000001", 1))
	})
	t.Run("differs by number and by UID", func(t *testing.T) {
		seen := map[string]bool{}
		for _, uid := range []types.UID{"1", "2", "11"} {
			for number := range int64(2000) {
				seen[JobName("demo", uid, number)] = true
			}
		}
		assert.Len(t, seen, 6000)
	})
	t.Run("of the longest name fits a label value, and is a DNS label", func(t *testing.T) {
		name := JobName(strings.Repeat("n", v1alpha.MaxNameLength), "uid", 1<<62)
		assert.Len(t, name, validation.DNS1123LabelMaxLength)
		assert.Empty(t, validation.IsDNS1123Label(name))
		assert.Empty(t, validation.IsValidLabelValue(name))
	})
	t.Run("never panics", func(t *testing.T) {
		assert.NotPanics(t, func() { JobName("", "", -1); JobName(strings.Repeat("é", 300), "", 0) })
	})
}
