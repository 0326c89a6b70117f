package faults

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

const refusedInvariant = "shown while it lasts, others go on, and one Job for the last state afterwards"

func TestANamespaceThatIsTerminatingHoldsUpNoOther(t *testing.T) {
	w := inShared(t, "in a namespace that is terminating no Job can be made, and none is lost elsewhere")
	going := w.Namespace(t)
	w.options.Args = append(w.options.Args, "--watch-namespaces="+w.namespace+","+going)
	w.start()
	w.configMap("config")
	w.ctj("stays", []string{"config"})
	inGoing := w.newCTJ("goes", []string{"config"})
	inGoing.Namespace = going
	require.NoError(t, w.Client.Create(t.Context(), inGoing))
	shows := func(reason string) {
		t.Helper()
		w.eventually(func() error {
			if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(inGoing), inGoing); err != nil {
				return err
			}
			return hasReason(inGoing, trigger.ConditionDegraded, reason)
		})
	}
	w.watching("stays")
	shows(trigger.ReasonAsExpected)

	require.NoError(t, w.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: going}}))
	w.report.injected("a namespace is terminating", 1)
	w.change("config")
	shows(trigger.ReasonJobNotCreated)
	w.triggered("stays", 1)
	require.NoError(t, w.Client.Delete(t.Context(), inGoing))
	w.change("config")
	w.triggered("stays", 2)
	assert.Equal(t, 2, w.rests().created)
}

// quota has the API server take so many Jobs in all. No quota controller runs here: what it would do is done by hand.
func (w *world) quota(jobs string) {
	w.t.Helper()
	const counted = "count/jobs.batch"
	hard := corev1.ResourceList{counted: resource.MustParse(jobs)}
	w.eventually(func() error {
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "jobs"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
		if err := w.Client.Create(w.t.Context(), quota); apierrors.IsAlreadyExists(err) {
			err = w.Client.Get(w.t.Context(), client.ObjectKeyFromObject(quota), quota)
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if quota.Status.Used == nil {
			quota.Status.Used = corev1.ResourceList{counted: resource.MustParse("0")}
		}
		quota.Status.Hard = hard
		return w.Client.Status().Update(w.t.Context(), quota)
	})
}

func TestAQuotaThatIsFullIsWaitedFor(t *testing.T) {
	w := inShared(t, refusedInvariant)
	w.quota("1")
	w.start()
	w.configMap("config")
	w.ctj("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config")
	w.triggered("ctj", 1)
	w.report.injected("a quota is full", 1)
	for range 3 {
		w.change("config")
		w.condition("ctj", trigger.ConditionDegraded, trigger.ReasonJobNotCreated)
	}
	w.quota("10")
	w.triggered("ctj", 2)
	assert.Equal(t, 2, w.rests().created)
}

func TestATemplateThatBecameInvalidIsShownAndWaitedFor(t *testing.T) {
	w := inShared(t, refusedInvariant)
	w.start()
	w.configMap("config")
	// A policy refuses the Jobs of this one from some day on; the API server says that they are invalid.
	fail := admissionregistrationv1.Fail
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: fmt.Sprintf("object.metadata.namespace != %q || object.metadata.labels[%q] != 'refused'", w.namespace, job.OwnerLabel),
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	for _, name := range []string{"refused", "broken", "free"} {
		w.ctj(name, []string{"config"})
	}
	w.watching("refused", "broken", "free")
	w.change("config")
	for _, name := range []string{"refused", "broken", "free"} {
		w.triggered(name, 1)
	}

	require.NoError(t, w.Client.Create(t.Context(), policy))
	require.NoError(t, w.Client.Create(t.Context(), binding))
	w.eventually(func() error { // it takes a moment to be in force
		trial := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "trial", Labels: map[string]string{job.OwnerLabel: "refused"}}}
		template, err := w.newCTJ("", nil).Spec.JobTemplate.Decode()
		if err != nil {
			return err
		}
		trial.Spec = template.Spec
		if err := w.Client.Create(t.Context(), trial, client.DryRunAll); err == nil {
			return fmt.Errorf("the policy is not in force")
		}
		return nil
	})
	w.report.injected("a policy refuses the Job", 1)
	// What passes the schema, and cannot be decoded.
	brokenBy := func(quantity string) {
		t.Helper()
		w.eventually(func() error {
			return w.Client.Patch(t.Context(), &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "broken"}}, mergePatch(
				`{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"hello","image":"busybox:1.37","resources":{"limits":{"cpu":"`+quantity+`"}}}]}}}}}}`))
		})
	}
	brokenBy("1e1.5")
	w.report.injected("a template that cannot be decoded is stored", 1)
	w.condition("broken", trigger.ConditionDegraded, trigger.ReasonInvalidSpec)

	for range 2 {
		w.change("config")
		w.condition("refused", trigger.ConditionDegraded, trigger.ReasonInvalidSpec)
	}
	w.triggered("free", 3)
	require.NoError(t, w.Client.Delete(t.Context(), binding))
	require.NoError(t, w.Client.Delete(t.Context(), policy))
	brokenBy("1")
	w.triggered("refused", 2)
	w.triggered("broken", 2)
	assert.Equal(t, 2+2+3, w.rests().created)
}

func TestAJobControllerThatIsStoppedEndsNoWaiting(t *testing.T) {
	w := inShared(t, "without a Job controller, Forbid and Replace wait for ever and start nothing beside what runs; with it, one Job for the last state")
	w.start()
	w.configMap("config")
	for name, policy := range map[string]v1alpha.ConcurrencyPolicy{
		"allow": v1alpha.AllowConcurrent, "forbid": v1alpha.ForbidConcurrent, "replace": v1alpha.ReplaceConcurrent,
	} {
		w.ctj(name, []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.ConcurrencyPolicy = policy })
	}
	w.watching("allow", "forbid", "replace")
	w.report.injected("the Job controller is stopped", 1)
	w.change("config")
	for _, name := range []string{"allow", "forbid", "replace"} {
		w.triggered(name, 1)
	}
	for n := range int64(3) {
		w.change("config")
		w.triggered("allow", n+2)
		for _, name := range []string{"forbid", "replace"} {
			w.condition(name, trigger.ConditionProgressing, trigger.ReasonJobRunning)
		}
	}
	ctj, err := w.get("replace")
	require.NoError(t, err)
	// Nor is there a garbage collector that would let the Job go once its Pods are gone.
	w.eventually(func() error {
		replaced := &batchv1.Job{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: trigger.JobName("replace", ctj.UID, 1)}, replaced); err != nil {
			return err
		}
		if replaced.DeletionTimestamp.IsZero() {
			return fmt.Errorf("the Job is not being deleted")
		}
		replaced.Finalizers = nil
		return w.Client.Update(t.Context(), replaced)
	})
	w.finish()
	w.triggered("forbid", 2)
	w.triggered("replace", 2)
	assert.Equal(t, 4+2+2, w.rests().created)
}
