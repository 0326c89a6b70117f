package secrecy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// canary stands for whatever an object contains: each kind has its own, and another after each change.
const canary = "vexed-jackdaw"

// objects are of every kind that differs in where its contents stand. CANARY is in their contents, and in keys, BASE64
// is the same as the API server stores bytes.
var objects = map[string]string{
	"configmap": `{apiVersion: v1, kind: ConfigMap, metadata: {annotations: {note: CANARY}, labels: {note: CANARY}},
		data: {key: CANARY, CANARY: value}, binaryData: {bytes: BASE64}}`,
	"secret": `{apiVersion: v1, kind: Secret, data: {password: BASE64, CANARY: BASE64}}`,
	"deployment": `{apiVersion: apps/v1, kind: Deployment, metadata: {annotations: {note: CANARY}}, spec: {selector: {matchLabels: {app: x}}, template: {
		metadata: {labels: {app: x}, annotations: {note: CANARY}},
		spec: {containers: [{name: c, image: "example.com/CANARY:1", env: [{name: PASSWORD, value: CANARY}], args: [--password=CANARY]}]}}}}`,
	"pod": `{apiVersion: v1, kind: Pod, metadata: {annotations: {note: CANARY}},
		spec: {containers: [{name: c, image: x, env: [{name: PASSWORD, value: CANARY}], command: [sh, -c, CANARY]}]}}`,
	"node":          `{apiVersion: v1, kind: Node, metadata: {annotations: {note: CANARY}, labels: {note: CANARY}}, spec: {taints: [{key: note, value: CANARY, effect: NoSchedule}]}}`,
	"widget":        `{apiVersion: example.com/v1, kind: Widget, spec: {password: CANARY, list: [{CANARY: [CANARY]}]}}`,
	"clusterwidget": `{apiVersion: example.com/v1, kind: ClusterWidget, spec: {password: CANARY}}`,
	"watchedctj": `{apiVersion: triggers.changejob.dev/v1alpha, kind: ChangeTriggeredJob, metadata: {annotations: {note: CANARY}, labels: {note: CANARY}}, spec: {
		resources: [{apiVersion: v1, kind: ConfigMap, namespace: NAMESPACE, name: nothing}],
		jobTemplate: {metadata: {annotations: {note: CANARY}}, spec: {template: {spec: {restartPolicy: Never,
			containers: [{name: c, image: x, env: [{name: PASSWORD, value: CANARY}]}]}}}}}}`,
}

// clusterScoped are the objects without a namespace.
var clusterScoped = map[string]bool{"node": true, "clusterwidget": true}

// TestP4NothingOfAnyKindOfObjectLeaves changes objects of every kind, and lets go wrong what can go wrong about them:
// reads that fail with the object in the error's words, streams that break in the middle of it, Jobs that are refused.
func TestP4NothingOfAnyKindOfObjectLeaves(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.CRD(widgets("Widget", apiextensionsv1.NamespaceScoped), widgets("ClusterWidget", apiextensionsv1.ClusterScoped)),
		apiserver.Webhooks(envtest.WebhookInstallOptions{Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")}}))
	words := &warnings{}
	config := rest.CopyConfig(server.Config)
	config.WarningHandler = words
	author, err := client.New(config, client.Options{Scheme: server.Scheme})
	require.NoError(t, err)
	between := newInterference(t, server.Config)
	hook := server.Env.WebhookInstallOptions
	const port = "18419"
	process := operator.Start(t, operator.Options{
		KubeConfig: operator.KubeConfigOfProxy(between.server.URL), WebhookCertDir: hook.LocalServingCertDir, WebhookPort: hook.LocalServingPort,
		Args: []string{"--log-level=10", "--poll-interval=1s", "--metrics-secure=false", "--metrics-bind-address=127.0.0.1:" + port},
	})
	ctx, namespace := t.Context(), server.Namespace(t)
	leaks := map[string]string{}

	generation := 0
	put := func(kind string) {
		generation++
		object := made(t, kind, namespace, fmt.Sprint(canary, "-", kind, "-", generation))
		object.SetName("object-" + kind)
		found := object.DeepCopy()
		err := server.Client.Get(ctx, client.ObjectKeyFromObject(object), found)
		if client.IgnoreNotFound(err) != nil {
			require.NoError(t, err)
		}
		if err == nil && kind == "pod" { // hardly anything of it can be changed
			found.SetAnnotations(object.GetAnnotations())
			object = found
		}
		if err == nil {
			object.SetResourceVersion(found.GetResourceVersion())
			require.NoError(t, server.Client.Update(ctx, object))
		} else {
			require.NoError(t, server.Client.Create(ctx, object))
		}
		plainDigests(t, object, leaks)
	}
	for kind := range objects {
		put(kind)
		object := made(t, kind, namespace, canary)
		reference := v1alpha.ResourceReference{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: "object-" + kind}
		for name, fields := range map[string][]string{
			"whole-" + kind:    {"*"},
			"some-of-" + kind:  {"metadata.annotations", "data", "spec", "metadata.labels"},
			"not-" + kind:      {"spec.nothing", "data['tls.crt']"},
			"filtered-" + kind: {`spec.list[?(@.name=="x")].y`, "spec.template.spec.containers[*].env", "data.key"},
		} {
			reference := reference
			reference.Fields = fields
			ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
				Spec: v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop, Resources: []v1alpha.ResourceReference{reference}}}
			require.NoError(t, author.Create(ctx, ctj))
		}
	}
	counts := func(prefix string, least int64, kinds ...string) {
		t.Helper()
		for _, kind := range kinds {
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				ctj := read(c, server, namespace, prefix+kind)
				require.NotEmpty(c, ctj.Status.ResourceHashes)
				require.NotEmpty(c, ctj.Status.ResourceHashes[0].Fields[0].Hash)
				require.GreaterOrEqual(c, ctj.Status.TriggerCount, least, "%s%s", prefix, kind)
			}, patience, tick)
		}
	}
	var kinds []string
	for kind := range objects {
		kinds = append(kinds, kind)
	}
	counts("whole-", 0, kinds...)

	// Jobs that are refused, with the API server's words.
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "few"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}}}
	require.NoError(t, server.Client.Create(ctx, quota))
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard
	require.NoError(t, server.Client.Status().Update(ctx, quota))
	for _, kind := range kinds {
		put(kind)
	}
	degraded := func(name, reason string) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			condition := meta.FindStatusCondition(read(c, server, namespace, name).Status.Conditions, trigger.ConditionDegraded)
			require.NotNil(c, condition)
			require.Equal(c, reason, condition.Reason, condition.Message)
		}, patience, tick)
	}
	for _, kind := range kinds {
		degraded("whole-"+kind, trigger.ReasonJobNotCreated)
	}
	require.NoError(t, server.Client.Delete(ctx, quota))
	counts("whole-", 1, kinds...)

	// Reads that fail in every way, with the object in the answer's words; a new reference meets the same in the webhook.
	for _, mode := range []int32{answersWithWords, answersOddly, breaksOff, forbids} {
		between.mode.Store(mode)
		between.met.Store(0)
		between.server.CloseClientConnections()
		for _, kind := range kinds {
			put(kind)
		}
		require.Eventually(t, func() bool { return between.met.Load() > 20 }, patience, tick, "mode %d", mode)
		late := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("late-", mode)},
			Spec: v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Resources: []v1alpha.ResourceReference{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "object-configmap", Fields: []string{"data.none"}},
				{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: "object-secret", Fields: []string{"data.none"}},
			}}}
		if err := author.Create(ctx, late); err != nil {
			words.HandleWarningHeader(0, "", err.Error())
		}
	}
	between.mode.Store(0)
	counts("whole-", 2, kinds...)

	// Templates that no Job can be made of, and mistakes that the webhook answers.
	for name, spoil := range map[string]func(*v1alpha.ChangeTriggeredJobSpec){
		"invalid": func(s *v1alpha.ChangeTriggeredJobSpec) {
			s.JobTemplate = jobs.Template(func(j *batchv1.JobSpec) { j.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways })
		},
		"pathless": func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"data[", "..", "@this"} },
		"kindless": func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Kind = "Nothing" },
		"astray":   func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Namespace = "" },
	} {
		ctj := read(t, server, namespace, "whole-configmap")
		ctj.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: name}
		spoil(&ctj.Spec)
		err := author.Create(ctx, ctj)
		require.Error(t, err, name)
		words.HandleWarningHeader(0, "", err.Error())
	}

	// Deleted, and made anew.
	for _, kind := range kinds {
		if kind == "watchedctj" {
			continue
		}
		object := made(t, kind, namespace, canary)
		object.SetName("object-" + kind)
		require.NoError(t, server.Client.Delete(ctx, object, client.GracePeriodSeconds(0)))
		counts("whole-", 3, kind)
		put(kind)
	}
	measured := metrics(t, port)
	process.Stop(t) // what it says at its end counts, too

	var events eventsv1.EventList
	require.NoError(t, server.Client.List(ctx, &events))
	var ctjs v1alpha.ChangeTriggeredJobList
	require.NoError(t, server.Client.List(ctx, &ctjs))
	var statuses []v1alpha.ChangeTriggeredJobStatus
	for _, ctj := range ctjs.Items {
		statuses = append(statuses, ctj.Status)
	}
	said := map[string]string{
		"the log":               process.Log(),
		"metrics":               measured,
		"the webhook's answers": words.String(),
		"events":                text(events),
		"status":                text(statuses),
		"Jobs":                  list(t, server, namespace, &batchv1.JobList{}),
	}
	leaks["as it is"] = canary
	leaks["in base64"] = "dmV4ZWQtamFja2Rhd" // with three alignments, of which stored bytes have the first
	for where, text := range said {
		require.NotEmpty(t, text, where)
		for what, trace := range leaks {
			assert.NotContains(t, text, trace, "%s: %s", where, what)
			if t.Failed() {
				at := strings.Index(text, trace)
				t.Fatalf("%s: %s", where, text[max(0, at-500):min(len(text), at+500)])
			}
		}
	}
	for what, trace := range map[string]string{"as it is": canary, "in base64": leaks["in base64"]} {
		var secrets corev1.SecretList
		var configMaps corev1.ConfigMapList
		require.NoError(t, server.Client.List(ctx, &secrets, client.InNamespace(namespace)))
		require.NoError(t, server.Client.List(ctx, &configMaps, client.InNamespace(namespace)))
		require.Contains(t, text(secrets)+text(configMaps), trace, "there was something to be found %s", what)
	}
}

// made is an object of a kind with this canary in it.
func made(t *testing.T, kind, namespace, canary string) *unstructured.Unstructured {
	source := strings.NewReplacer("CANARY", canary, "BASE64", base64.StdEncoding.EncodeToString([]byte(canary)), "NAMESPACE", namespace, "\t", " ").Replace(objects[kind])
	object := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(source), &object.Object), kind)
	if !clusterScoped[kind] {
		object.SetNamespace(namespace)
	}
	return object
}

// plainDigests adds what would give the object away to who guesses: its digests without a key.
func plainDigests(t *testing.T, object *unstructured.Unstructured, into map[string]string) {
	content, err := json.Marshal(object)
	require.NoError(t, err)
	for _, field := range []string{"*", "data", "spec", "metadata.annotations", "data.key"} {
		path, err := fieldpath.Compile(field)
		require.NoError(t, err)
		if digest := path.Digest(content); !digest.IsAbsent() {
			at := fmt.Sprintf("the digest of %s of %s %s", field, object.GetKind(), object.GetResourceVersion())
			into[at] = hex.EncodeToString(digest[:16])
			into[at+" in base64"] = base64.StdEncoding.EncodeToString(digest[:])[:20]
		}
	}
	sum := sha256.Sum256([]byte(canary))
	into["a plain hash"] = hex.EncodeToString(sum[:16])
}

func widgets(kind string, scope apiextensionsv1.ResourceScope) *apiextensionsv1.CustomResourceDefinition {
	plural := strings.ToLower(kind) + "s"
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: scope,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: kind, ListKind: kind + "List", Plural: plural, Singular: strings.ToLower(kind)},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true)}}}},
		},
	}
}

// What can be wrong with an answer to a read of objects.
const (
	answersWithWords int32 = iota + 1 // an error that quotes the object
	answersOddly                      // an answer that is no list and no stream, with the object in it
	breaksOff                         // a list or a stream that ends in the middle of the object
	forbids
)

// interference stands between the operator and the API server, and spoils reads of what is watched.
type interference struct {
	server *httptest.Server
	mode   atomic.Int32
	met    atomic.Int64
}

func newInterference(t *testing.T, config *rest.Config) *interference {
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	i := &interference{}
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mode := i.mode.Load(); mode != 0 && watchedPath(r) {
			i.met.Add(1)
			spoil(w, r, mode)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		i.server.CloseClientConnections()
		i.server.Close()
	})
	return i
}

// watchedPath says whether a request reads what ChangeTriggeredJobs refer to.
func watchedPath(r *http.Request) bool {
	if r.Method != http.MethodGet || strings.Contains(r.URL.Path, "kube-changejob-hash-key") {
		return false
	}
	parts := strings.Split(r.URL.Path, "/")
	switch parts[len(parts)-1] {
	case "configmaps", "secrets", "deployments", "pods", "nodes", "widgets", "clusterwidgets":
		return !strings.Contains(r.URL.RawQuery, "hash-key")
	}
	return false
}

func spoil(w http.ResponseWriter, r *http.Request, mode int32) {
	const object = `{"metadata":{"name":"object-secret","resourceVersion":"5","annotations":{"note":"` + canary + `"}},"data":{"password":"` + canary + `"`
	watching := r.URL.Query().Get("watch") != ""
	status := `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"conversion webhook failed: ` + canary + `","reason":"InternalError",` +
		`"details":{"name":"` + canary + `","causes":[{"message":"` + canary + `","field":"` + canary + `"}]},"code":500}`
	w.Header().Set("Content-Type", "application/json")
	switch mode {
	case answersWithWords:
		if watching {
			_, _ = fmt.Fprintf(w, `{"type":"ERROR","object":%s}`, status)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprint(w, status)
	case answersOddly:
		w.Header().Set("Content-Type", "text/plain") // whose text clients pass on as the error's
		w.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusInternalServerError}[watching])
		_, _ = fmt.Fprintf(w, `<html>%s</html> {"type":"%s","object":"%s"}`, canary, canary, canary)
	case breaksOff:
		if watching {
			_, _ = fmt.Fprintf(w, `{"type":"MODIFIED","object":%s`, object)
			return
		}
		_, _ = fmt.Fprintf(w, `{"metadata":{"resourceVersion":"7"},"items":[%s`, object)
	case forbids:
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"you may not","reason":"Forbidden","code":403}`)
	}
}
