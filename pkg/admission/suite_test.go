package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// server is an API server that asks the webhook, which this process serves, for every ChangeTriggeredJob.
var server *apiserver.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctrl.SetLogger(logr.Discard())
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	config, err := registration(false)
	if err != nil {
		return fail(err)
	}
	server, err = apiserver.New(apiserver.CRDs(), apiserver.Webhooks(envtest.WebhookInstallOptions{
		ValidatingWebhooks: []*admissionregistrationv1.ValidatingWebhookConfiguration{config},
	}))
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			code = max(code, fail(err))
		}
	}()

	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	if err := serve(ctx, stopped); err != nil {
		cancel()
		return fail(err)
	}
	code = m.Run()
	cancel()
	if err := <-stopped; err != nil {
		return max(code, fail(err))
	}
	return code
}

// serve serves the webhook as the operator does, and returns once it answers.
func serve(ctx context.Context, stopped chan<- error) error {
	options := server.Env.WebhookInstallOptions
	hooks := webhook.NewServer(webhook.Options{
		Host: options.LocalServingHost, Port: options.LocalServingPort, CertDir: options.LocalServingCertDir,
	})
	mgr, err := ctrl.NewManager(server.Config, ctrl.Options{
		Scheme: server.Scheme, WebhookServer: hooks, Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	if err := Register(mgr, Options{AuthorizeReferences: true}); err != nil {
		return err
	}
	go func() { stopped <- mgr.Start(ctx) }()
	started := hooks.StartedChecker()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := started(&http.Request{})
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// registration reads the webhook's registration from config/webhook: what the marker in doc.go comes to, and
// with conditions also what kustomize adds to it.
func registration(withConditions bool) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	config := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	files := []string{"manifests.yaml"}
	if withConditions {
		files = append(files, "match_conditions.yaml")
	}
	root, err := apiserver.Root()
	if err != nil {
		return nil, err
	}
	var merged []byte
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(root, "config", "webhook", file))
		if err != nil {
			return nil, err
		}
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, err
		}
		if merged == nil {
			merged = data
		} else if merged, err = strategicpatch.StrategicMergePatch(merged, data, config); err != nil {
			return nil, err
		}
	}
	return config, json.Unmarshal(merged, config)
}

// jobTemplate returns a template that the API server accepts.
func jobTemplate() batchv1.JobTemplateSpec {
	return batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "hello", Image: "busybox"}},
	}}}}
}

// makeCTJ returns a ChangeTriggeredJob that watches the data of a ConfigMap beside it.
func makeCTJ(namespace, name string, change ...func(*v1alpha.ChangeTriggeredJob)) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.NewJobTemplate(jobTemplate()),
			Resources: []v1alpha.ResourceReference{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "my-config", Fields: []string{"data"}},
			},
		},
	}
	for _, f := range change {
		f(ctj)
	}
	return ctj
}

// references replaces what is watched.
func references(refs ...v1alpha.ResourceReference) func(*v1alpha.ChangeTriggeredJob) {
	return func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources = refs }
}

// template changes the Job template.
func template(change func(*batchv1.JobTemplateSpec)) func(*v1alpha.ChangeTriggeredJob) {
	return func(ctj *v1alpha.ChangeTriggeredJob) {
		t := jobTemplate()
		change(&t)
		ctj.Spec.JobTemplate = v1alpha.NewJobTemplate(t)
	}
}

// validatorOn returns a validator whose own requests go to config, by the client's way where c is not nil.
func validatorOn(t *testing.T, config *rest.Config, c client.Client) *validator {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	if c == nil {
		c, err = client.New(config, client.Options{Scheme: server.Scheme, HTTPClient: httpClient})
		require.NoError(t, err)
	}
	v, err := newValidator(config, httpClient, c, Options{AuthorizeReferences: true})
	require.NoError(t, err)
	return v
}

// requestBy is the context of a request by a user.
func requestBy(t *testing.T, user authenticationv1.UserInfo) context.Context {
	return admission.NewContextWithRequest(t.Context(), admission.Request{
		AdmissionRequest: admissionv1.AdmissionRequest{UserInfo: user},
	})
}

// admin may do everything.
var admin = authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters"}}
