package check

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestWhatIsToldOfAValue(t *testing.T) {
	size := func(n int) *int { return &n }
	for value, want := range map[string]report.Selected{
		`{"a":1,"b":2}`: {Type: "object", Size: size(2)},
		`[1,"2"]`:       {Type: "list", Size: size(2)},
		`"äb"`:          {Type: "string", Size: size(2)},
		`12`:            {Type: "number"},
		`true`:          {Type: "boolean"},
		`false`:         {Type: "boolean"},
		`null`:          {Type: "null"},
	} {
		assert.Equal(t, want, describe([]byte(value), false, false), value)
		shown := describe([]byte(value), false, true)
		assert.Equal(t, value, string(shown.Value))
		secret := describe([]byte(value), true, true)
		assert.Nil(t, secret.Value, "of a Secret, whatever was asked for")
		if want.Type == "string" {
			assert.Nil(t, secret.Size)
		}
	}
}

func TestWhichKindHoldsSecrets(t *testing.T) {
	for reference, want := range map[trigger.ObjectReference]bool{
		{APIVersion: "v1", Kind: "Secret"}:             true,
		{APIVersion: "v1", Kind: "ConfigMap"}:          false,
		{APIVersion: "example.com/v1", Kind: "Secret"}: true,
	} {
		assert.Equal(t, want, isSecret(reference), reference.APIVersion)
	}
}
