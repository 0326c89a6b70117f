package faults

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// strike has one fault, for a moment.
func (s *soak) strike(kill bool) {
	timer := time.NewTimer(time.Duration(100+s.random.IntN(1500)) * time.Millisecond)
	defer timer.Stop()
	hold := func() { <-timer.C }
	strikes := slices.Concat(s.spoiltRequests(hold), s.lostPrograms(hold), s.refusals(hold), s.deeds(hold))
	if kill {
		strikes = append(strikes, s.ends(hold)...)
	}
	strikes[s.random.IntN(len(strikes))]()
}

// noQuota is so many Jobs that there might as well be none.
const noQuota = "1000000"

// spoiltRequests are what can befall requests and watches of the operator.
func (s *soak) spoiltRequests(hold func()) []func() {
	writes := func(c *call) bool { return c.writes() && c.Resource != "leases" }
	everything := func(c *call) bool { return c.Resource != "leases" }
	during := func(f fault, on func(*call) bool) func() {
		return func() {
			i := s.proxy.inject(f, on)
			hold()
			s.report.injected(f.name, i.lift())
		}
	}
	lag := func(resource string) func() {
		return func() {
			s.gates[resource].close()
			hold()
			s.gates[resource].open()
			s.report.injected("the watch of "+resource+" lags", 1)
		}
	}
	return []func(){
		during(fails, everything),
		during(fails, writes),
		during(losesAnswer, writes),
		during(carriesOutFails, writes),
		during(conflicts, func(c *call) bool { return c.is("update changetriggeredjobs/status") }),
		during(throttles, everything),
		during(timesOut, writes),
		during(isUnavailable, everything),
		during(isLate(300*time.Millisecond), everything),
		lag("changetriggeredjobs"),
		lag("jobs"),
		lag("configmaps"),
		func() { s.report.injected("a watch is cut", s.proxy.cut(func(*call) bool { return true })) },
	}
}

// lostPrograms are what can befall the programs around the operator.
func (s *soak) lostPrograms(hold func()) []func() {
	return []func(){
		func() {
			s.api.Kill(s.t)
			hold()
			s.api.Start(s.t)
			s.api.Await(s.t)
			s.report.injected("the API server is killed", 1)
		},
		func() {
			s.etcd.Pause(s.t)
			hold()
			s.etcd.Resume(s.t)
			s.api.Await(s.t)
			s.report.injected("etcd is paused", 1)
		},
		func() { // what watches would go on from is gone
			cutOff := s.proxy.inject(fails, func(*call) bool { return true })
			s.report.injected("a watch is cut", s.proxy.cut(func(*call) bool { return true }))
			hold()
			compact(s.t, s.Env.ControlPlane.Etcd.URL.String())
			s.report.injected("etcd is compacted", 1)
			s.api.Kill(s.t)
			s.api.Start(s.t)
			s.api.Await(s.t)
			s.report.injected("the API server is killed", 1)
			s.report.injected(fails.name, cutOff.lift())
		},
		func() {
			s.idled.Store(true)
			hold()
			s.idled.Store(false)
			s.report.injected("the Job controller is stopped", 1)
		},
		func() {
			s.process.Pause(s.t)
			hold()
			s.process.Resume(s.t)
			s.report.injected("the operator is paused", 1)
		},
		func() {
			by := time.Hour
			if s.random.IntN(2) == 0 {
				by = -by
			}
			setClock(s.t, s.shift, by)
			hold()
			setClock(s.t, s.shift, 0)
			s.report.injected("the clock jumps by an hour, and back", 1)
		},
	}
}

// refusals are what the API server can refuse the operator for.
func (s *soak) refusals(hold func()) []func() {
	revoked := func(name string) func() {
		return func() {
			s.rights[name].revoke()
			hold()
			s.rights[name].grant()
		}
	}
	return []func(){
		revoked("configmaps"),
		revoked("jobs"),
		revoked("creates"),
		revoked("status"),
		revoked("changetriggeredjobs"),
		func() {
			s.quota("0")
			hold()
			s.quota(noQuota)
			s.report.injected("a quota is full", 1)
		},
		func() {
			s.refuseJobs("yes")
			hold()
			s.refuseJobs("no")
			s.report.injected("a policy refuses the Jobs", 1)
		},
		func() {
			foreign := s.foreignJob()
			hold()
			if foreign == nil {
				return
			}
			s.eventually(func() error {
				return client.IgnoreNotFound(s.Client.Delete(s.t.Context(), foreign, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			})
			s.report.injected("a foreign Job has the name", 1)
		},
	}
}

// deeds are what people can do.
func (s *soak) deeds(hold func()) []func() {
	return []func(){
		func() {
			s.edit(s.names[s.random.IntN(len(s.names))], func(spec *v1alpha.ChangeTriggeredJobSpec) {
				spec.Suspend = ptr.To(!spec.Suspended())
				if spec.Suspended() {
					return
				}
				spec.Cooldown = &metav1.Duration{Duration: time.Duration(s.random.IntN(3)) * time.Second}
			})
			s.report.injected("a spec is edited", 1)
		},
		func() {
			s.serve(!s.served)
			hold()
			s.report.injected("a watched kind is installed or removed", 1)
		},
		func() {
			const changes = 300
			var flood errgroup.Group
			flood.SetLimit(8)
			for n := range changes {
				flood.Go(func() error {
					s.alter(s.t.Context(), n)
					return nil
				})
			}
			_ = flood.Wait()
			s.report.injected("a change in a flood", changes)
		},
	}
}

// ends are how the operator that runs can come to its end. They take the webhook with them.
func (s *soak) ends(hold func()) []func() {
	refused := func() {
		assert.Error(s.t, s.tryCTJ("new", []string{"config-0"}), "the webhook cannot be reached")
		s.report.injected("the webhook cannot be reached", 1)
	}
	return []func(){
		func() {
			s.process.Kill(s.t)
			refused()
			hold()
			s.start()
			s.report.injected("the operator is killed", 1)
		},
		func() { // the leader is paused past its lease, and wakes up while another one acts
			leader := s.process
			held := s.leader("")
			options := s.options
			options.WebhookCertDir = "" // the port is taken
			next := operator.Launch(s.t, options)
			leader.Pause(s.t)
			s.leader(held)
			refused()
			leader.Resume(s.t)
			hold()
			leader.Kill(s.t)
			next.Stop(s.t)
			s.start()
			s.report.injected("the leader is paused past its lease", 1)
		},
	}
}

// leader waits until another one than this leads, and returns who it is.
func (s *soak) leader(than string) string {
	var holder string
	s.eventually(func() error {
		var err error
		if holder, err = s.holder(); err == nil && (holder == "" || holder == than) {
			err = fmt.Errorf("the lease is held by %q", holder)
		}
		return err
	})
	return holder
}

// serve installs Widgets, and one of them, or removes them.
func (s *soak) serve(served bool) {
	if s.served == served {
		return
	}
	s.served = served
	if !served {
		s.eventually(func() error { return client.IgnoreNotFound(s.Client.Delete(s.t.Context(), widgets())) })
		return
	}
	s.eventually(func() error { // the old ones may not be gone yet
		definition := widgets()
		err := s.Client.Create(s.t.Context(), definition)
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		if err := s.Client.Get(s.t.Context(), client.ObjectKeyFromObject(definition), definition); err != nil {
			return err
		}
		if !definition.DeletionTimestamp.IsZero() {
			return fmt.Errorf("widgets are being removed")
		}
		return nil
	})
	s.eventually(func() error {
		err := s.Client.Create(s.t.Context(), s.widget(s.changed.Add(1)))
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

// foreignJob creates a Job with the name of the next Job of one of ours; nil where ours is there already.
func (s *soak) foreignJob() *batchv1.Job {
	name := s.names[s.random.IntN(len(s.names))]
	var foreign *batchv1.Job
	s.eventually(func() error {
		ctj, err := s.get(name)
		if err != nil {
			return err
		}
		foreign = &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: trigger.JobName(name, ctj.UID, ctj.Status.TriggerCount+1)}, Spec: jobs.Spec(),
		}
		err = s.Client.Create(s.t.Context(), foreign)
		if apierrors.IsAlreadyExists(err) {
			foreign = nil
			return nil
		}
		return err
	})
	return foreign
}

// refusing is the label of a namespace in which Jobs are refused.
const refusing = "faults.example.com/refuses-jobs"

// policy has the API server refuse Jobs where the namespace says so.
func (s *soak) policy() {
	fail := admissionregistrationv1.Fail
	require.NoError(s.t, s.Client.Create(s.t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{refusing: "yes"}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
						Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
					},
				}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false"}},
		},
	}))
	require.NoError(s.t, s.Client.Create(s.t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: s.namespace, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}))
}

func (s *soak) refuseJobs(answer string) {
	s.eventually(func() error {
		return s.Client.Patch(s.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}},
			mergePatch(fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, refusing, answer)))
	})
}
