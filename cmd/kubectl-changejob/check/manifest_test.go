package check

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ours     = "apiVersion: triggers.changejob.dev/v1alpha\nkind: ChangeTriggeredJob\nmetadata: {name: a}\n"
	someone  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
	ourJSON  = `{"apiVersion":"triggers.changejob.dev/v1alpha","kind":"ChangeTriggeredJob","metadata":{"name":"c"}}`
	flowYAML = `{apiVersion: triggers.changejob.dev/v1alpha, kind: ChangeTriggeredJob, metadata: {name: d}}`
)

func TestWhatAFileHolds(t *testing.T) {
	for does, test := range map[string]struct {
		file           string
		names, skipped []string
	}{
		"one":                          {ours, []string{"a"}, nil},
		"several, and others":          {"---\n" + ours + "---\n# nothing\n---\n" + someone + "---\n" + ours, []string{"a", "a"}, []string{"ConfigMap b"}},
		"JSON":                         {ourJSON, []string{"c"}, nil},
		"JSON, one after another":      {ourJSON + "\n" + ourJSON, []string{"c", "c"}, nil},
		"JSON, then YAML":              {ourJSON + "\n---\n" + ours, []string{"c", "a"}, nil},
		"YAML that looks like JSON":    {flowYAML, []string{"d"}, nil},
		"a list":                       {`{"apiVersion":"v1","kind":"List","items":[` + ourJSON + `]}`, []string{"c"}, nil},
		"a list in a list, and no one": {`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[` + ourJSON + `]}]}`, []string{"c"}, nil},
	} {
		t.Run(does, func(t *testing.T) {
			m, err := Read(strings.NewReader(test.file))
			require.NoError(t, err)
			var names []string
			for _, object := range m.Triggers {
				names = append(names, object.GetName())
			}
			assert.Equal(t, test.names, names)
			assert.Equal(t, test.skipped, m.Skipped)
		})
	}
}

// FuzzRead checks that no file makes the plugin panic, and that what it takes in is what can be checked.
func FuzzRead(f *testing.F) {
	for _, file := range []string{ours, someone, ourJSON, flowYAML, "---\n", "{", "a: b", "- a", `{"items":[null]}`, ours + "---\n" + ourJSON} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		m, err := Read(strings.NewReader(file))
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, m.Triggers)
		for _, object := range m.Triggers {
			assert.NotEmpty(t, object.GetName())
			_, _ = typed(object)
		}
	})
}
