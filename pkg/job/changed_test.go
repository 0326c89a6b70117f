package job

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func decodeAccount(t require.TestingT, text string) account {
	var a account
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&a))
	return a
}

func fieldsIn(a account) int {
	n := 0
	for _, change := range a.Resources {
		n += len(change.Fields)
	}
	return n
}

func TestTheAccountOfWhatChanged(t *testing.T) {
	changes := []trigger.Change{
		{ObjectReference: config, Fields: []string{`data.a&b<c>`, `spec.list[?(@.name=="web")].image`, "$(PATH)"}},
		{ObjectReference: node, Fields: []string{"*"}},
	}
	const (
		whole = `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config",` +
			`"fields":["data.a&b<c>","spec.list[?(@.name==\"web\")].image","$(PATH)"]},` +
			`{"apiVersion":"v1","kind":"Node","name":"worker-1","fields":["*"]}],"omittedFields":0}`
		two = `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config",` +
			`"fields":["data.a&b<c>","spec.list[?(@.name==\"web\")].image"]}],"omittedFields":2}`
		none = `{"resources":[],"omittedFields":4}`
	)
	for name, c := range map[string]struct {
		changes []trigger.Change
		limit   int
		want    string
	}{
		"is whole where there is room":                 {changes, MaxChangedBytes, whole},
		"is whole where there is just room":            {changes, len(whole), whole},
		"is cut inside an object":                      {changes, len(two), two},
		"counts what it leaves out":                    {changes, len(two) - 1, `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config","fields":["data.a&b<c>"]}],"omittedFields":3}`},
		"names nothing where there is no room":         {changes, len(none), none},
		"is the shortest where there is not even that": {changes, -1, none},
		"of nothing is an empty list":                  {nil, MaxChangedBytes, `{"resources":[],"omittedFields":0}`},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, describe(c.changes, c.limit)) })
	}
}

func TestTheAccountKeepsAsMuchAsFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, -1)
		var changes []trigger.Change
		total := 0
		for range rapid.IntRange(0, 6).Draw(t, "objects") {
			change := trigger.Change{
				ObjectReference: trigger.ObjectReference{APIVersion: "v1", Kind: text.Draw(t, "kind"), Name: text.Draw(t, "name")},
				Fields:          rapid.SliceOfN(text, 1, 8).Draw(t, "fields"),
			}
			total += len(change.Fields)
			changes = append(changes, change)
		}
		limit := rapid.IntRange(0, 3000).Draw(t, "limit")

		text1 := describe(changes, limit)
		a := decodeAccount(t, text1)
		kept := fieldsIn(a)
		require.Equal(t, total, kept+a.OmittedFields, "every field is named or counted")
		require.True(t, len(text1) <= limit || kept == 0, "within the limit")
		if kept < total {
			require.Greater(t, len(encodeAccount(withObjects(changes, nil, 0), kept+1, total-kept-1)), limit, "one more would not have fitted")
		}
		require.Equal(t, text1, encodeAccount(withObjects(changes, nil, 0), kept, total-kept), "the first ones are kept")
	})
}

func TestTheAccountNamesSelectedObjects(t *testing.T) {
	web := trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Selection: "app=web"}
	changes := []trigger.Change{{ObjectReference: config, Fields: []string{"data"}}, {ObjectReference: web, Fields: []string{"data"}}}
	selected := trigger.SelectedChange{Reference: web, Unnamed: 7, Objects: []trigger.ObjectChange{
		{Namespace: "default", Name: "one", Change: trigger.ObjectUpdated, Fields: []string{"data"}},
		{Namespace: "default", Name: "two", Change: trigger.ObjectRemoved},
	}}
	const (
		begin = `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config","fields":["data"]},` +
			`{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","selection":"app=web","fields":["data"]`
		one   = `{"namespace":"default","name":"one","change":"Updated","fields":["data"]}`
		whole = begin + `,"objects":[` + one + `,{"namespace":"default","name":"two","change":"Removed"}],"unnamedObjects":7}],"omittedFields":0}`
		cut   = begin + `,"objects":[` + one + `],"unnamedObjects":8}],"omittedFields":0}`
		bare  = begin + `,"unnamedObjects":9}],"omittedFields":0}`
	)
	for sentence, c := range map[string]struct {
		limit int
		want  string
	}{
		"all where there is room":                           {len(whole), whole},
		"the first where there is not, and how many others": {len(whole) - 1, cut},
		"none where there is room for fields alone":         {len(cut) - 1, bare},
		"fields are left out last":                          {len(bare) - 1, `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config","fields":["data"]}],"omittedFields":1}`},
	} {
		t.Run(sentence, func(t *testing.T) { assert.Equal(t, c.want, describe(changes, c.limit, selected)) })
	}
}
