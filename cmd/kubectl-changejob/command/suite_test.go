package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

var server *apiserver.Server

func TestMain(m *testing.M) { os.Exit(apiserver.Main(m, &server, apiserver.CRDs())) }

// world is a namespace of an API server, and a user with a kubeconfig.
type world struct {
	t          *testing.T
	server     *apiserver.Server
	namespace  string
	kubeconfig string
	now        time.Time
	stdin      string
	env        map[string]string
	terminal   int
	wrap       func(client.WithWatch) client.WithWatch
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, server: server, namespace: server.Namespace(t), now: time.Now(), env: map[string]string{}}
	return w.as(server.Config)
}

// as is the world of another user.
func (w *world) as(config *rest.Config) *world {
	other := *w
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken}
	kubeconfig.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: w.namespace}
	kubeconfig.CurrentContext = "test"
	other.kubeconfig = filepath.Join(w.t.TempDir(), "kubeconfig")
	require.NoError(w.t, clientcmd.WriteToFile(*kubeconfig, other.kubeconfig))
	return &other
}

// user is the world of a user who may do what the rules say in the namespace, and nothing else.
func (w *world) user(name string, rules ...rbacv1.PolicyRule) *world {
	name += "-" + w.namespace
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Rules: rules}
	w.create(role, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
	})
	return w.as(w.server.User(w.t, name))
}

// may is a rule of RBAC.
func may(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

const triggers = "changetriggeredjobs"

// result is what a command left.
type result struct {
	out, err string
	code     int
}

// run runs a command.
func (w *world) run(args ...string) result {
	w.t.Helper()
	return w.runBare(append([]string{"--kubeconfig=" + w.kubeconfig}, args...)...)
}

// runBare runs a command with no more than these arguments.
func (w *world) runBare(args ...string) result {
	w.t.Helper()
	var out, errOut bytes.Buffer
	environment := Environment{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(w.stdin), Out: &out, ErrOut: &errOut},
		Getenv:  func(name string) string { return w.env[name] },
		Version: "v1.2.3",
		Now:     func() time.Time { return w.now },
		Wrap:    w.wrap,

		LookInterval: 10 * time.Millisecond,
	}
	if w.terminal > 0 {
		environment.Terminal = func() (int, bool) { return w.terminal, true }
	}
	code := Run(w.t.Context(), args, environment)
	return result{out.String(), errOut.String(), code}
}

// done runs a command that must succeed, and returns its output.
func (w *world) done(args ...string) string {
	w.t.Helper()
	r := w.run(args...)
	require.Equal(w.t, 0, r.code, r.err)
	return r.out
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		require.NoError(w.t, w.server.Client.Create(w.t.Context(), object))
	}
}

// trigger creates a ChangeTriggeredJob that watches ConfigMap app-config, as edits change it.
func (w *world) trigger(name string, edits ...func(*v1alpha.ChangeTriggeredJob)) *v1alpha.ChangeTriggeredJob {
	w.t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: jobs.Template(),
			Resources:   []v1alpha.ResourceReference{w.configMap("app-config", "data")},
		},
	}
	for _, edit := range edits {
		edit(ctj)
	}
	w.create(ctj)
	return ctj
}

func (w *world) configMap(name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.namespace, Name: name, Fields: fields}
}

func (w *world) secret(name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "Secret", Namespace: w.namespace, Name: name, Fields: fields}
}

// observed writes status as the operator would.
func (w *world) observed(ctj *v1alpha.ChangeTriggeredJob, edit func(*v1alpha.ChangeTriggeredJobStatus)) {
	w.t.Helper()
	edit(&ctj.Status)
	ctj.Status.ObservedGeneration = ctj.Generation
	require.NoError(w.t, w.server.Client.Status().Update(w.t.Context(), ctj))
}

func hashes(reference v1alpha.ResourceReference, fields ...v1alpha.FieldHash) v1alpha.ResourceHash {
	return v1alpha.ResourceHash{
		APIVersion: reference.APIVersion, Kind: reference.Kind, Namespace: reference.Namespace, Name: reference.Name, Fields: fields,
	}
}

// conditions are those that the operator writes of one that is not in trouble.
func conditions(since time.Time, status metav1.ConditionStatus, reason, message string) []metav1.Condition {
	at := metav1.NewTime(since)
	return []metav1.Condition{
		{Type: trigger.ConditionAvailable, Status: metav1.ConditionTrue, Reason: trigger.ReasonWatching, Message: "Every referenced object is watched", LastTransitionTime: at},
		{Type: trigger.ConditionProgressing, Status: status, Reason: reason, Message: message, LastTransitionTime: at},
		{Type: trigger.ConditionDegraded, Status: metav1.ConditionFalse, Reason: trigger.ReasonAsExpected, Message: "Nothing needs attention", LastTransitionTime: at},
	}
}

// fired creates the Job of a trigger, as the operator would.
func (w *world) fired(ctj *v1alpha.ChangeTriggeredJob, number int64, edits ...func(*batchv1.Job)) *batchv1.Job {
	w.t.Helper()
	made, err := job.Build(ctj, &trigger.Creation{
		Name: trigger.JobName(ctj.Name, ctj.UID, number), Number: number, Reason: trigger.ReasonChange,
		Changed: []trigger.Change{{ObjectReference: trigger.MergeReferences(ctj.Spec.Resources)[0].Reference, Fields: []string{"data"}}},
	})
	require.NoError(w.t, err)
	for _, edit := range edits {
		edit(made)
	}
	w.create(made)
	return made
}

// ended ends a Job that began at a time and took so long.
func (w *world) ended(j *batchv1.Job, outcome batchv1.JobConditionType, began time.Time, took time.Duration) {
	w.t.Helper()
	start, end := metav1.NewTime(began), metav1.NewTime(began.Add(took))
	before := batchv1.JobFailureTarget
	j.Status.StartTime = &start
	if outcome == batchv1.JobComplete {
		before, j.Status.CompletionTime = batchv1.JobSuccessCriteriaMet, &end
	}
	for _, condition := range []batchv1.JobConditionType{before, outcome} {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: end})
	}
	require.NoError(w.t, w.server.Client.Status().Update(w.t.Context(), j))
}
