package faults

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestWhatChangesWhileTheOperatorIsDownIsAnsweredOnce(t *testing.T) {
	w := inShared(t, "one Job for each difference that stands when the operator is back, none for what is as it was, none for a restart")
	w.start()
	ends := map[string]struct {
		whileDown func(name string)
		jobs      int64
	}{
		"changed":           {func(name string) { w.change(name) }, 1},
		"changed-often":     {func(name string) { w.change(name); w.change(name); w.change(name) }, 1},
		"changed-and-back":  {func(name string) { w.change(name); w.set(name, "first") }, 0},
		"deleted":           {func(name string) { w.remove(name) }, 1},
		"recreated":         {func(name string) { w.remove(name); w.configMap(name) }, 0},
		"recreated-changed": {func(name string) { w.remove(name); w.configMap(name); w.change(name) }, 1},
		"untouched":         {func(string) {}, 0},
	}
	names := make([]string, 0, len(ends)+2)
	for name := range ends {
		w.configMap(name)
		w.ctj(name, []string{name})
		names = append(names, name)
	}
	w.ctj("created", []string{"created"})
	// All that a spec can reference changes in one go.
	var all []string
	for i := range 64 {
		all = append(all, fmt.Sprintf("one-of-many-%d", i))
		w.configMap(all[i])
	}
	w.ctj("many", all)
	w.ctj("many-all", all, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Condition = v1alpha.TriggerAll })
	names = append(names, "created", "many", "many-all")
	w.watching(names...)
	w.rests()

	for round := range int64(2) {
		w.process.Stop(t)
		for name, end := range ends {
			if round == 0 {
				end.whileDown(name)
			}
		}
		if round == 0 {
			w.configMap("created")
			for _, name := range all {
				w.change(name)
			}
		}
		w.report.injected("the operator is down", 1)
		w.start()
		for name, end := range ends {
			w.triggered(name, end.jobs)
		}
		for _, name := range []string{"created", "many", "many-all"} {
			w.triggered(name, 1)
		}
		w.rests()
	}

	// Without a change, there is no write either: all that a new process writes is the first look at what is new to it.
	w.process.Stop(t)
	var mu sync.Mutex
	var writes []string
	w.proxy.inject(fault{"", func(x *exchange) {
		mu.Lock()
		writes = append(writes, x.request.Method+" "+x.request.URL.Path)
		mu.Unlock()
		x.forward(x.ResponseWriter)
	}}, (*call).writes)
	w.start()
	w.configMap("later")
	w.ctj("later", []string{"later"})
	w.watching("later")
	mu.Lock()
	for _, write := range writes {
		assert.Contains(t, write, "/later/status")
	}
	mu.Unlock()
	assert.Equal(t, 4+3, w.rests().created)
}
