package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// cause is something that goes wrong, and the alerts that tell of it.
type cause struct {
	// fires are the alerts that fire by it, and may those that can, depending on how long it lasts.
	fires, may []string
	// begin makes it go wrong, goesOn is done again and again until the alerts fire, and end mends it.
	begin, goesOn, end func(t *testing.T)
	// lasts says that the alerts end long after it is mended: this is looked at when all others are over.
	lasts bool
}

// alarm has causes produced.
type alarm struct {
	*server
	namespace string
	changes   int
	// expected are the alerts whose cause is there, or was a moment ago.
	expected []string
	// lasting are the alerts of which it is still to be seen that they end.
	lasting []string
	seen    []string
}

// everyAlertFires has each alert fire by a cause that is as real as a single node allows for, and end with its cause. No other
// alert may fire meanwhile.
func everyAlertFires(t *testing.T, s *server, namespace string) {
	t.Helper()
	a := &alarm{server: s, namespace: namespace}
	kubectl(t, "create", "configmap", "watched", "--namespace="+namespace, "--from-literal=key=value")
	for _, step := range []struct {
		name   string
		causes []cause
	}{
		{"a spec is invalid, Jobs fail, a definition's conversion is broken", []cause{a.invalidSpec(), a.failingJobs(), a.brokenConversion()}},
		{"a definition is gone, a quota is used up", []cause{a.missingKind(), a.usedUpQuota()}},
		{"it was raised late", []cause{a.lateTriggers()}},
		{"the right to write status is missing", []cause{a.noStatus()}},
		{"large requests are reset", []cause{a.resetRequests()}},
		{"somebody keeps another key in the Secret", []cause{a.anotherKey()}},
		{"the right to the lease is missing", []cause{a.noLease()}},
		{"the operator is gone", []cause{a.gone()}},
		{"it comes back without its key", []cause{a.lostKey()}},
	} {
		began := time.Now()
		a.step(t, step.causes)
		t.Logf("%s: %s fired (%.0f s)", step.name, strings.Join(named(step.causes), ", "), time.Since(began).Seconds())
	}
	a.await(t, "", func(firing []string) bool { return !containsAny(firing, a.lasting) }, nil)
	assert.ElementsMatch(t, s.alerts, a.seen, "each alert has fired, and ended")
}

func named(causes []cause) (names []string) {
	for _, c := range causes {
		names = append(names, c.fires...)
	}
	return names
}

func containsAny(all, some []string) bool {
	return slices.ContainsFunc(all, func(name string) bool { return slices.Contains(some, name) })
}

// step has causes go wrong together, waits for their alerts, mends them, and waits until the alerts have ended.
func (a *alarm) step(t *testing.T, causes []cause) {
	t.Helper()
	var fire, end []string
	for _, c := range causes {
		a.expected = slices.Concat(a.expected, c.fires, c.may)
		fire = append(fire, c.fires...)
	}
	for _, c := range causes {
		c.begin(t)
	}
	a.await(t, "not all have fired", func([]string) bool {
		return !slices.ContainsFunc(fire, func(name string) bool { return !slices.Contains(a.seen, name) })
	}, func() {
		for _, c := range causes {
			if c.goesOn != nil {
				c.goesOn(t)
			}
		}
	})
	for _, c := range causes {
		c.end(t)
		if c.lasts {
			a.lasting = slices.Concat(a.lasting, c.fires, c.may)
		} else {
			end = slices.Concat(end, c.fires, c.may)
		}
	}
	a.await(t, "not all end", func(firing []string) bool { return !containsAny(firing, end) }, nil)
	a.expected = slices.DeleteFunc(a.expected, func(name string) bool { return slices.Contains(end, name) })
}

// await waits until the alerts that fire are as they should be. None may fire that is not expected.
func (a *alarm) await(t *testing.T, what string, done func(firing []string) bool, meanwhile func()) {
	t.Helper()
	for began := time.Now(); ; {
		firing := a.firing(t.Context(), t)
		for _, name := range firing {
			require.Contains(t, a.expected, name, "%s fires, and has no cause", name)
			if !slices.Contains(a.seen, name) {
				a.seen = append(a.seen, name)
			}
		}
		if done(firing) {
			return
		}
		require.Less(t, time.Since(began), patience, "%s: %v do", what, firing)
		if meanwhile != nil {
			meanwhile()
		}
	}
}

// watching applies a ChangeTriggeredJob that watches the ConfigMap, with a cooldown of a second, and waits for its baseline.
func (a *alarm) watching(t *testing.T, name, command string) {
	t.Helper()
	apply(t, a.manifest(name, command))
	available(t, a.namespace, name)
}

func (a *alarm) manifest(name, command string) string {
	manifest := strings.ReplaceAll(watcher(a.namespace), "my-first-trigger", name)
	manifest = strings.Replace(manifest, "name: my-config", "name: watched", 1)
	manifest = strings.Replace(manifest, "cooldown: 0s", "cooldown: 1s\n  history: 2", 1)
	manifest = strings.Replace(manifest, "    spec:\n      template:", "    spec:\n      backoffLimit: 0\n      template:", 1)
	return strings.Replace(manifest, `"echo trigger $CHANGEJOB_TRIGGER: $CHANGEJOB_CHANGED"`, strconv.Quote(command), 1)
}

// change changes the ConfigMap.
func (a *alarm) change(t *testing.T) {
	t.Helper()
	a.changes++
	kubectl(t, "patch", "configmap", "watched", "--namespace="+a.namespace, "--patch", fmt.Sprintf(`{"data":{"key":"change %d"}}`, a.changes))
}

// forget deletes a ChangeTriggeredJob.
func (a *alarm) forget(t *testing.T, names ...string) {
	t.Helper()
	kubectl(t, append([]string{"delete", "changetriggeredjobs", "--namespace=" + a.namespace}, names...)...)
}

// restore brings back what of the installation was changed.
func restore(t *testing.T) {
	t.Helper()
	kubectl(t, "apply", "-k", "config/default")
}

// invalidSpec is stored while the webhook is not there to refuse it.
func (a *alarm) invalidSpec() cause {
	return cause{
		fires: []string{"ChangejobInvalidSpecs"},
		begin: func(t *testing.T) {
			kubectl(t, "delete", "validatingwebhookconfiguration", "kube-changejob-validating-webhook-configuration")
			apply(t, strings.Replace(a.manifest("invalid", "true"), "fields: [data]", "fields: [data..key]", 1))
			restore(t)
			eventually(t, func(c *assert.CollectT) {
				require.NotEmpty(c, trusted(t, c), "the operator has not said whom to trust")
			})
		},
		end: func(t *testing.T) { a.forget(t, "invalid") },
	}
}

// failingJobs are Jobs whose container fails: then some that succeed have to be run, or an hour has to pass.
func (a *alarm) failingJobs() cause {
	return cause{
		fires: []string{"ChangejobJobsFailing"},
		begin: func(t *testing.T) { a.watching(t, "failing", "exit 1") },
		goesOn: func(t *testing.T) {
			if a.most(t.Context(), t, `sum(changejob_job_outcomes_total{outcome="Failed"})`) < 5 {
				a.change(t)
			}
		},
		end:   func(t *testing.T) { a.forget(t, "failing") },
		lasts: true,
	}
}

// brokenConversion is a definition of two versions whose webhook for the conversion between them does not answer, so that what is stored
// in one cannot be read in the other.
func (a *alarm) brokenConversion() cause {
	convert := func(t *testing.T, conversion string) {
		kubectl(t, "patch", "crd", "things.e2e.example.com", "--type=merge", `--patch={"spec":{"conversion":`+conversion+`}}`)
	}
	return cause{
		fires: []string{"ChangejobWatchesNotSynced"},
		may:   []string{"ChangejobCannotSee"},
		begin: func(t *testing.T) {
			apply(t, testdata(t, "test", "e2e", "testdata", "alerts-definition.yaml"))
			kubectl(t, "wait", "--for=condition=Established", "--timeout=1m", "crd/things.e2e.example.com")
			eventually(t, func(c *assert.CollectT) {
				_, err := run(t.Context(), ".", "apiVersion: e2e.example.com/v1\nkind: Thing\nmetadata: {name: thing, namespace: "+a.namespace+"}",
					"kubectl", "apply", "--filename=-")
				require.NoError(c, err)
			})
			const configMap, thing = "apiVersion: v1\n      kind: ConfigMap\n      name: watched", "apiVersion: e2e.example.com/v2\n      kind: Thing\n      name: thing"
			manifest := a.manifest("thing", "true")
			require.Contains(t, manifest, configMap)
			apply(t, strings.Replace(manifest, configMap, thing, 1))
			available(t, a.namespace, "thing")
			convert(t, `{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://127.0.0.1:1/convert"}}}`)
		},
		end: func(t *testing.T) { convert(t, `{"strategy":"None","webhook":null}`) },
	}
}

// missingKind is one whose definition is deleted while it is referenced.
func (a *alarm) missingKind() cause {
	return cause{
		fires: []string{"ChangejobCannotSee"},
		begin: func(t *testing.T) { kubectl(t, "delete", "crd", "things.e2e.example.com", "--timeout=1m") },
		end: func(t *testing.T) {
			apply(t, testdata(t, "test", "e2e", "testdata", "alerts-definition.yaml"))
			available(t, a.namespace, "thing")
			a.forget(t, "thing")
			kubectl(t, "delete", "crd", "things.e2e.example.com", "--timeout=1m")
		},
	}
}

// refusedJobs are ChangeTriggeredJobs whose Jobs a quota refuses.
var refusedJobs = []string{"refused-1", "refused-2", "refused-3", "refused-4", "refused-5", "refused-6"}

// usedUpQuota lets no Job be created, for longer than a trigger may be late. When it is raised, the Jobs are asked for anew, one after
// the other, so that for a while each that is created is late.
func (a *alarm) usedUpQuota() cause {
	return cause{
		fires: []string{"ChangejobJobsRefused"},
		begin: func(t *testing.T) {
			for _, name := range refusedJobs {
				a.watching(t, name, "true")
			}
			kubectl(t, "create", "quota", "no-jobs", "--hard=count/jobs.batch=0", "--namespace="+a.namespace)
			a.change(t)
			eventually(t, func(c *assert.CollectT) {
				const refused = `count_over_time((sum(changejob_pending{reason="JobNotCreated"}) >= 6)[1m:1s])`
				require.GreaterOrEqual(c, a.most(t.Context(), c, refused), 32.)
			})
		},
		end: func(t *testing.T) {
			a.expected = append(a.expected, "ChangejobTriggersLate")
			kubectl(t, "delete", "quota", "no-jobs", "--namespace="+a.namespace)
			for _, name := range refusedJobs {
				// An edit has it tried at once.
				kubectl(t, "patch", "changetriggeredjob", name, "--namespace="+a.namespace, "--type=merge", `--patch={"spec":{"history":3}}`)
				succeeded(t, a.namespace, name, 1)
			}
		},
	}
}

// lateTriggers are those of the quota that was raised late.
func (a *alarm) lateTriggers() cause {
	return cause{
		fires: []string{"ChangejobTriggersLate"},
		begin: func(*testing.T) {},
		end:   func(t *testing.T) { a.forget(t, refusedJobs[1:]...) },
	}
}

// noStatus is that the operator may not write status any more, while changes go on.
func (a *alarm) noStatus() cause {
	return cause{
		fires: []string{"ChangejobStatusNotWritten", "ChangejobReconcileErrors"},
		begin: func(t *testing.T) {
			role := kubectl(t, "get", "clusterrole", "kube-changejob-manager-role", "--output=json")
			require.Contains(t, role, `"changetriggeredjobs/status"`)
			role = strings.Replace(role, `"changetriggeredjobs/status"`, `"changetriggeredjobs/nothing"`, 1)
			_, err := run(t.Context(), ".", role, "kubectl", "replace", "--filename=-")
			require.NoError(t, err)
		},
		goesOn: a.change,
		end: func(t *testing.T) {
			restore(t)
			// The Job that was created is taken over.
			eventually(t, func(c *assert.CollectT) {
				var ctj v1alpha.ChangeTriggeredJob
				get(t.Context(), c, &ctj, "changetriggeredjob/"+refusedJobs[0], "--namespace="+a.namespace)
				require.Greater(c, ctj.Status.TriggerCount, int64(1))
				require.Positive(c, a.most(t.Context(), c, `changejob_jobs_adopted_total`))
			})
		},
	}
}

// resetRequests is that connections to the API server are reset which carry more than 8,000 bytes in one go, as a firewall does that
// takes offence at large requests: that for a large Job gets no answer, and all that is small goes through.
func (a *alarm) resetRequests() cause {
	const table = "e2e-alerts"
	nft := func(t *testing.T, args ...string) {
		t.Helper()
		output, err := exec.CommandContext(t.Context(), "nft", args...).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	var changed time.Time
	return cause{
		fires: []string{"ChangejobJobsUnanswered"},
		// A reconcile fails that gets no answer.
		may: []string{"ChangejobReconcileErrors"},
		begin: func(t *testing.T) {
			a.forget(t, refusedJobs[0])
			large := strings.Replace(a.manifest("large", "true"), "      template:\n", "      template:\n        metadata:\n          annotations:\n            large: "+
				strings.Repeat("x", 100_000)+"\n", 1)
			_, err := run(t.Context(), ".", large, "kubectl", "apply", "--server-side", "--filename=-")
			require.NoError(t, err)
			available(t, a.namespace, "large")
			var pods corev1.PodList
			get(t.Context(), t, &pods, "pods", "--namespace="+operatorNamespace, "--selector=control-plane=controller-manager")
			require.Len(t, pods.Items, 1)
			var server corev1.Service
			get(t.Context(), t, &server, "service/kubernetes", "--namespace=default")
			t.Cleanup(func() {
				_ = exec.CommandContext(context.WithoutCancel(t.Context()), "nft", "delete", "table", "ip", table).Run()
			})
			nft(t, "add", "table", "ip", table)
			nft(t, "add", "chain", "ip", table, "arriving", "{ type filter hook prerouting priority raw; }")
			nft(t, "add", "rule", "ip", table, "arriving", "ip", "saddr", pods.Items[0].Status.PodIP, "ip", "daddr", server.Spec.ClusterIP,
				"meta", "length", ">", "8000", "counter", "reject", "with", "tcp", "reset")
		},
		goesOn: func(t *testing.T) {
			if time.Since(changed) > 3*time.Second {
				a.change(t)
				changed = time.Now()
			}
		},
		end: func(t *testing.T) {
			nft(t, "delete", "table", "ip", table)
			require.Eventually(t, func() bool { return len(jobsOf(t, a.namespace, "large")) > 0 }, patience, tick, "no Job comes")
			a.forget(t, "large")
		},
	}
}

// anotherKey is in the Secret, where it stays; the operator, which would write its own, may not any more. Nothing is written there again:
// that it is there is what the alert tells of.
func (a *alarm) anotherKey() cause {
	const secret = "kube-changejob-hash-key"
	const other = "another key, which is not in use"
	return cause{
		fires: []string{"ChangejobHashKeyTrouble"},
		begin: func(t *testing.T) {
			kubectl(t, "patch", "role", "kube-changejob-hash-key-role", "--namespace="+operatorNamespace, "--type=json", `--patch=[{"op":"remove","path":"/rules/0"}]`)
			kubectl(t, "delete", "secret", secret, "--namespace="+operatorNamespace)
			const failures = "changejob_hash_key_failures_total"
			eventually(t, func(c *assert.CollectT) { require.Positive(c, a.most(t.Context(), c, failures)) })
			kubectl(t, "create", "secret", "generic", secret, "--namespace="+operatorNamespace, "--from-literal=key="+other)
			// What has failed until then fires the alert as well: that is to be over.
			eventually(t, func(c *assert.CollectT) {
				now := a.sinceTheBeginning(t.Context(), c, "sum(increase("+failures+"[15s]))")
				require.Len(c, now, 1)
				values := now[0].numbers()
				require.Zero(c, values[len(values)-1])
			})
		},
		end: func(t *testing.T) {
			restore(t)
			kubectl(t, "delete", "secret", secret, "--namespace="+operatorNamespace)
			eventually(t, func(c *assert.CollectT) {
				var now corev1.Secret
				get(t.Context(), c, &now, "secret/"+secret, "--namespace="+operatorNamespace)
				require.NotEqual(c, other, string(now.Data["key"]))
			})
		},
	}
}

// noLease is that the operator may not write its lease any more: it ends, is started again, and waits.
func (a *alarm) noLease() cause {
	return cause{
		fires: []string{"ChangejobNoLeader"},
		begin: func(t *testing.T) {
			kubectl(t, "delete", "rolebinding", "kube-changejob-leader-election-rolebinding", "--namespace="+operatorNamespace)
		},
		end: restore,
	}
}

// gone is that no process of the operator runs.
func (a *alarm) gone() cause {
	return cause{
		fires: []string{"ChangejobDown"},
		begin: func(t *testing.T) {
			// What the next one finds hashes of.
			a.watching(t, "quiet", "true")
			kubectl(t, "scale", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--replicas=0")
		},
		end: func(t *testing.T) {
			kubectl(t, "delete", "secret", "kube-changejob-hash-key", "--namespace="+operatorNamespace)
			a.expected = append(a.expected, "ChangejobBaselinesLost")
			kubectl(t, "scale", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--replicas=1")
		},
	}
}

// lostKey is that the process found a Secret that was made anew, for it had been deleted while none ran. It is told of for an hour.
func (a *alarm) lostKey() cause {
	return cause{
		fires: []string{"ChangejobBaselinesLost"},
		begin: func(*testing.T) {},
		end:   func(t *testing.T) { available(t, a.namespace, "quiet") },
		lasts: true,
	}
}
