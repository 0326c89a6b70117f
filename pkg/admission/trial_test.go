package admission

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

const notJudged = "spec.jobTemplate was not fully checked: the API server did not judge a trial Job "

// quiet returns a ChangeTriggeredJob whose reference there is nothing to warn of.
func quiet(namespace string) *v1alpha.ChangeTriggeredJob {
	return makeCTJ(namespace, "watcher", references(
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "Namespace", Name: namespace, Fields: []string{"metadata.labels"}}))
}

func TestATemplateIsNotRefusedForWhatMayPass(t *testing.T) {
	v := validatorOn(t, server.Config, nil)

	t.Run("a quota that is used up", func(t *testing.T) {
		namespace := server.Namespace(t)
		limits := corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}
		quota := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-jobs"},
			Spec:       corev1.ResourceQuotaSpec{Hard: limits},
		}
		require.NoError(t, server.Client.Create(t.Context(), quota))
		quota.Status = corev1.ResourceQuotaStatus{Hard: limits, Used: limits}
		require.NoError(t, server.Client.Status().Update(t.Context(), quota))

		warnings, err := v.ValidateCreate(requestBy(t, admin), quiet(namespace))
		require.NoError(t, err)
		assert.Equal(t, []string{notJudged + "(Forbidden)"}, []string(warnings), "and the quota is not named")
	})

	t.Run("another webhook that is down", func(t *testing.T) {
		namespace := server.Namespace(t)
		hook := &admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "others-" + namespace},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name:              "jobs.others.example",
				ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: new(nowhere)},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
				}},
				SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
				AdmissionReviewVersions: []string{"v1"},
			}},
		}
		require.NoError(t, server.Client.Create(t.Context(), hook))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			warnings, err := v.ValidateCreate(requestBy(t, admin), quiet(namespace))
			require.NoError(t, err)
			assert.Equal(c, []string{notJudged + "(InternalError)"}, []string(warnings))
		}, 10*time.Second, 50*time.Millisecond)
	})

	t.Run("a namespace that is being deleted", func(t *testing.T) {
		namespace := server.Namespace(t)
		require.NoError(t, server.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			warnings, err := v.ValidateCreate(requestBy(t, admin), quiet(namespace))
			require.NoError(t, err)
			assert.Equal(c, []string{notJudged + "(Forbidden)"}, []string(warnings))
		}, 10*time.Second, 50*time.Millisecond)
	})

	t.Run("an API server that does not answer in time", func(t *testing.T) {
		begun := time.Now()
		slow := interceptor.NewClient(watchClient(t), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if _, ok := o.(*batchv1.Job); !ok {
					return c.Create(ctx, o, opts...)
				}
				deadline, ok := ctx.Deadline()
				require.True(t, ok, "the trial is bounded in time")
				assert.LessOrEqual(t, deadline.Sub(begun), discoveryTimeout+rightsTimeout+trialTimeout)
				return context.DeadlineExceeded
			},
		})
		warnings, err := validatorOn(t, server.Config, slow).ValidateCreate(requestBy(t, admin), quiet(server.Namespace(t)))
		require.NoError(t, err)
		assert.Equal(t, []string{notJudged + "(no answer)"}, []string(warnings))
	})
}

func TestAnAdmissionPolicyThatFindsTheJobInvalidRefusesTheTemplate(t *testing.T) {
	kind := gvk("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
	if _, err := validatorOn(t, server.Config, nil).discovery.find(t.Context(), kind); meta.IsNoMatchError(err) {
		t.Skip("this API server is from before v1.30 and has no such policies")
	}
	namespace := server.Namespace(t)
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "limit-" + namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "has(object.spec.activeDeadlineSeconds)", Message: "every Job needs a deadline",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        policy.Name,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	require.NoError(t, server.Client.Create(t.Context(), policy))
	require.NoError(t, server.Client.Create(t.Context(), binding))

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := server.Client.Create(t.Context(), makeCTJ(namespace, "watcher"), client.DryRunAll)
		require.Error(c, err)
		assert.True(c, apierrors.IsInvalid(err), "%v", err)
		assert.ErrorContains(c, err, "spec.jobTemplate: Invalid value: ")
		assert.ErrorContains(c, err, "every Job needs a deadline")
	}, 20*time.Second, 100*time.Millisecond)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher",
		template(func(t *batchv1.JobTemplateSpec) { t.Spec.ActiveDeadlineSeconds = new(int64(60)) }))))
}

func TestATemplateThatDidNotChangeIsNotTriedAgain(t *testing.T) {
	tried := 0
	counting := interceptor.NewClient(watchClient(t), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if _, ok := o.(*batchv1.Job); ok {
				tried++
			}
			return c.Create(ctx, o, opts...)
		},
	})
	v := validatorOn(t, server.Config, counting)
	old := makeCTJ(server.Namespace(t), "watcher")
	changed := old.DeepCopy()
	changed.Spec.Suspend = new(true)
	_, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err)
	assert.Zero(t, tried)

	template(func(t *batchv1.JobTemplateSpec) { t.Spec.BackoffLimit = new(int32(1)) })(changed)
	_, err = v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err)
	assert.Equal(t, 1, tried)
}

func TestAnnotationsThatLeaveNoRoomForOursAreRefused(t *testing.T) {
	err := server.Client.Create(t.Context(), makeCTJ(server.Namespace(t), "watcher", template(func(t *batchv1.JobTemplateSpec) {
		t.Annotations = map[string]string{"note": strings.Repeat("x", 256<<10-20)}
	})))
	assert.ErrorContains(t, err, "spec.jobTemplate.metadata.annotations: Too long: ")
}

func TestTheTrialJobIsTheLargestThereCanBe(t *testing.T) {
	ctj := makeCTJ("default", "watcher")
	ctj.Spec.Resources = append(ctj.Spec.Resources, ctj.Spec.Resources[0],
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Name: "worker-1"})
	before := ctj.DeepCopy()
	trial, err := trialJob(ctj)
	require.NoError(t, err)
	assert.Equal(t, before, ctj, "the object is not touched")
	assert.Equal(t, trigger.JobName("watcher", trialUID, trialNumber), trial.Name)
	assert.Equal(t, "default", trial.Namespace)
	require.NotNil(t, metav1.GetControllerOf(trial))
	assert.Equal(t, trialUID, metav1.GetControllerOf(trial).UID, "without a UID the API server would call the owner invalid")
	assert.Contains(t, trial.Annotations["changejob.dev/changed"], "worker-1")

	ctj.UID = "given"
	trial, err = trialJob(ctj)
	require.NoError(t, err)
	assert.Equal(t, ctj.UID, metav1.GetControllerOf(trial).UID)
}

func TestTemplateErrors(t *testing.T) {
	invalid := func(causes ...metav1.StatusCause) error {
		err := apierrors.NewInvalid(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), "trial", nil)
		err.ErrStatus.Details.Causes = causes
		return err
	}
	cases := map[string]struct {
		err  error
		want []string
	}{
		"a field of the Job's spec is one of the template's": {
			err: invalid(metav1.StatusCause{
				Type: metav1.CauseTypeFieldValueRequired, Field: "spec.template.spec.containers", Message: "Required value"}),
			want: []string{"spec.jobTemplate.spec.template.spec.containers: Required value"},
		},
		"what is said with the value stays": {
			err: invalid(metav1.StatusCause{
				Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata.labels", Message: `Invalid value: "-": must begin with a letter`}),
			want: []string{`spec.jobTemplate.metadata.labels: Invalid value: "-": must begin with a letter`},
		},
		"the name is not the template's": {
			err:  invalid(metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata.name", Message: "Invalid value: too odd"}),
			want: []string{"metadata.name: Invalid value: too odd"},
		},
		"a cause without field or type": {
			err:  invalid(metav1.StatusCause{Message: "the policy says no"}),
			want: []string{"spec.jobTemplate: Invalid value: the policy says no"},
		},
		"no cause at all": {
			err:  apierrors.NewInvalid(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), "trial", field.ErrorList{}),
			want: []string{`spec.jobTemplate: Invalid value: Job.batch "trial" is invalid`},
		},
		"no status at all": {
			err:  errors.New("nothing to be said"),
			want: []string{"spec.jobTemplate: Invalid value: nothing to be said"},
		},
		"a very long message": {
			err:  invalid(metav1.StatusCause{Field: "spec.template", Message: strings.Repeat("x", 100_000)}),
			want: []string{"spec.jobTemplate.spec.template: Invalid value: " + strings.Repeat("x", 256) + "…"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, err := range templateErrors(field.NewPath("spec", "jobTemplate"), c.err) {
				got = append(got, err.Error())
			}
			assert.Equal(t, c.want, got)
		})
	}

	many := make([]metav1.StatusCause, 1000)
	assert.Len(t, templateErrors(field.NewPath("spec", "jobTemplate"), invalid(many...)), 17)
}

// watchClient returns a client that interceptors can wrap.
func watchClient(t *testing.T) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	require.NoError(t, err)
	return c
}
