package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settled are the conditions of the plugin's that the chart does not leave open, or not all of.
var settled = map[string]string{
	// There is no chart without the operator or its webhook, and metrics are never served without asking who wants them.
	`or (not (hasKey .Values.manager "enabled")) (.Values.manager.enabled)`: always,
	`.Values.webhook.enabled`:                                   always,
	`and .Values.networkPolicy.enabled .Values.webhook.enabled`: `.Values.networkPolicy.enabled`,
	`not .Values.metrics.secure`:                                never,
	`.Values.metrics.secure`:                                    always,
	`and .Values.metrics.enabled .Values.metrics.secure`:        `.Values.metrics.enabled`,
	// What the cluster has one of, is watched in the whole cluster.
	`.Values.rbac.namespaced`: never,
	// The roles of users are added to the cluster's own.
	`.Values.rbac.helpers.enabled`:       always,
	`.Values.serviceAccount.enabled`:     always,
	`.Values.serviceAccount.labels`:      never,
	`.Values.serviceAccount.annotations`: never,
	// The definition outlives the chart: without it, every ChangeTriggeredJob would be gone.
	`.Values.crd.keep`: always,

	`.Values.manager.labels`:         never,
	`.Values.manager.annotations`:    never,
	`.Values.manager.strategy`:       never,
	`.Values.prometheus.annotations`: never,
	`and (hasKey .Values.manager "terminationGracePeriodSeconds") (ne .Values.manager.terminationGracePeriodSeconds nil)`: always,
}

// constants are the values of the plugin's that the chart does not leave open.
var constants = []string{"metrics.port", "manager.healthProbe.port"}

// names of the plugin's that follow the release. Ours do not.
var names = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`\{\{ include "kube-changejob\.resourceName" \(dict "suffix" "([a-z-]+)" "context" \$\) }}`), "kube-changejob-$1"},
	{regexp.MustCompile(`\{\{ include "kube-changejob\.name" \. }}`), "kube-changejob"},
	{regexp.MustCompile(`\{\{ include "kube-changejob\.serviceAccountName" \. }}`), "kube-changejob-controller-manager"},
}

const (
	byCertManager = ".Values.certManager.enabled"
	byOperator    = "not .Values.certManager.enabled"
)

// Where the plugin puts what it does not know, and what it leaves to no value: where that belongs, and the condition for it.
var places = map[string]struct{ path, condition string }{
	"extras/webhook-cert.yaml":                    {"webhook-cert/secret.yaml", byOperator},
	"rbac/webhook-cert-role.yaml":                 {"webhook-cert/webhook-role.yaml", byOperator},
	"rbac/webhook-cert-rolebinding.yaml":          {"webhook-cert/webhook-rolebinding.yaml", byOperator},
	"rbac/webhook-cert-role-namesake.yaml":        {"webhook-cert/secret-role.yaml", byOperator},
	"rbac/webhook-cert-rolebinding-namesake.yaml": {"webhook-cert/secret-rolebinding.yaml", byOperator},
	"extras/webhook-issuer.yaml":                  {"cert-manager/webhook-issuer.yaml", byCertManager},
	"extras/alerts.yaml":                          {"prometheus/alerts.yaml", ".Values.prometheus.enabled"},
	"extras/dashboard.yaml":                       {"grafana/dashboard.yaml", ".Values.grafana.enabled"},
}

// mend is one thing that the plugin gets wrong, or cannot know.
type mend struct {
	file string
	// from must stand in it once.
	from, to string
}

const manager = "manager/manager.yaml"

var mends = []mend{
	{manager, `        # Bind to :0 to disable the controller-runtime managed metrics server
`, ""},
	// A flag of the user's is one more; the plugin's list would take the place of those that the operator needs, and is a template.
	{manager, `        {{- range .Values.manager.args }}
        - {{ tpl . $ }}
        {{- end }}
`, `        - --leader-elect
        - --webhook-cert={{ ternary "files" "self" .Values.certManager.enabled }}
        {{- with .Values.watchNamespaces }}
        - --watch-namespaces={{ join "," . }}
        {{- end }}
        {{- range .Values.manager.args }}
        - {{ quote . }}
        {{- end }}
`},
	// So it is with variables; and a name that comes twice is refused where Helm applies on the server's side.
	{manager, `        {{- if or .Values.manager.env (and (kindIs "map" .Values.manager.envOverrides) (not (empty .Values.manager.envOverrides))) }}
          {{- if .Values.manager.env }}
          {{- toYaml .Values.manager.env | nindent 10 }}
          {{- end }}
          {{- if kindIs "map" .Values.manager.envOverrides }}
          {{- range $k, $v := .Values.manager.envOverrides }}
          - name: {{ $k }}
            value: {{ $v | quote }}
          {{ end }}
          {{- end }}
          {{- else }}
          []
          {{- end }}
`, `        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- with include "kube-changejob.gomemlimit" . }}
        - name: GOMEMLIMIT
          value: {{ . }}
        {{- end }}
        {{- with .Values.manager.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
`},
	{manager, `          {{- if .Values.manager.extraVolumeMounts }}
          {{- toYaml .Values.manager.extraVolumeMounts | nindent 10 }}
          {{- else }}
          []
          {{- end }}
`, `        - mountPath: /tmp/k8s-webhook-server/serving-certs
          {{- if .Values.certManager.enabled }}
          name: webhook-tls
          readOnly: true
          {{- else }}
          name: webhook-cert
          {{- end }}
        {{- with .Values.manager.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
`},
	{manager, `        {{- if .Values.manager.extraVolumes }}
        {{- toYaml .Values.manager.extraVolumes | nindent 8 }}
        {{- else }}
        []
        {{- end }}
`, `      {{- if .Values.certManager.enabled }}
      - name: webhook-tls
        secret:
          defaultMode: 288
          secretName: kube-changejob-webhook-tls
      {{- else }}
      - name: webhook-cert
        emptyDir:
          medium: Memory
          sizeLimit: 1Mi
      {{- end }}
      {{- with .Values.manager.volumes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
`},
	// What the chart is called need not restart the operator.
	{manager, `        helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
        app.kubernetes.io/instance: {{ .Release.Name }}
        app.kubernetes.io/managed-by: {{ .Release.Service }}
`, ""},
	{manager, `apiVersion: apps/v1
`, `{{- include "kube-changejob.check" . }}
apiVersion: apps/v1
`},

	{"metrics/controller-manager-metrics-service.yaml", `  - name: {{ if .Values.metrics.secure }}https{{ else }}http{{ end }}
`, `  - name: https
`},
	{monitor, `  - {{- if .Values.metrics.secure }}
    bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
    {{- end }}
`, `  - bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
`},
	{monitor, `    port: {{ if .Values.metrics.secure }}https{{ else }}http{{ end }}
    scheme: {{ if .Values.metrics.secure }}https{{ else }}http{{ end }}
`, `    port: https
    scheme: https
`},
	// The Prometheus operator may select rules by labels, as it does monitors.
	{"extras/alerts.yaml", `    control-plane: controller-manager
`, `    control-plane: controller-manager
    {{- with .Values.prometheus.labels }}
    {{- with omit . "app.kubernetes.io/managed-by" "app.kubernetes.io/name" "helm.sh/chart" "app.kubernetes.io/instance" "control-plane" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
`},
	// Of what is not there Prometheus knows no namespace.
	{"extras/alerts.yaml", `absent(changejob_build_info{namespace="kube-changejob-system"})`,
		`absent(changejob_build_info{namespace="{{ .Release.Namespace }}"})`},
	{"extras/webhook-issuer.yaml", "kind: " + furtherIssuer + "\n", "kind: Issuer\n"},
	{"webhook/validating-webhook-configuration.yaml", `metadata:
  labels:
`, `metadata:
  {{- if .Values.certManager.enabled }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/kube-changejob-webhook-cert
  {{- end }}
  labels:
`},
	// As config/narrow has it.
	{managerRole, `- apiGroups:
  - '*'
  resources:
  - '*'
  verbs:
  - list
  - watch
`, `{{- if .Values.reading.everything }}
- apiGroups:
  - '*'
  resources:
  - '*'
  verbs:
  - list
  - watch
{{- else }}
- apiGroups: [triggers.changejob.dev]
  resources: [changetriggeredjobs]
  verbs: [list, watch]
{{- end }}
`},
	{managerRole, `  - changetriggeredjobs/finalizers
  - changetriggeredjobs/status
  verbs:
  - update
`, `  - changetriggeredjobs/finalizers
  - changetriggeredjobs/status
  verbs:
  - update
{{- if not .Values.reading.everything }}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
- apiGroups: [apiregistration.k8s.io]
  resources: [apiservices]
  verbs: [list, watch]
{{- end }}
`},
}

const (
	monitor     = "prometheus/controller-manager-metrics-monitor.yaml"
	managerRole = "rbac/manager-role.yaml"
)

// templates is the folder of a chart's templates.
const templates = "templates/"

// finish mends what the plugin has generated, and lays our own parts over it.
func finish(generated, parts tree, version string) (tree, error) {
	finished := tree{}
	used := map[string]int{}
	replacements, err := constantsOf(generated["values.yaml"])
	if err != nil {
		return nil, err
	}
	if err := applyMends(generated); err != nil {
		return nil, err
	}
	for path, content := range generated {
		name, isTemplate := strings.CutPrefix(path, templates)
		if !isTemplate || parts[path] != nil {
			finished[path] = content
			continue
		}
		text, err := fold(string(content), settled, used)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		text = replacements.Replace(text)
		for _, name := range names {
			text = name.pattern.ReplaceAllString(text, name.name)
		}
		text = strings.ReplaceAll(text, namesake+"\n", "\n")
		if place, ok := places[name]; ok {
			text = "{{- if " + place.condition + " }}\n" + text + "{{- end }}\n"
			name = place.path
		}
		finished[templates+name] = []byte(text)
	}
	for name := range places {
		if generated[templates+name] == nil {
			return nil, fmt.Errorf("the plugin does not write %s any more", name)
		}
	}
	for condition := range settled {
		if used[condition] == 0 {
			return nil, fmt.Errorf("the plugin does not ask %q any more", condition)
		}
	}
	for path, content := range parts {
		finished[path] = []byte(strings.ReplaceAll(string(content), "VERSION", version))
	}
	if finished["values.yaml"], err = fill(finished["values.yaml"], generated["values.yaml"]); err != nil {
		return nil, err
	}
	return finished, check(finished)
}

// applyMends replaces what is to be mended in the generated files.
func applyMends(generated tree) error {
	for _, m := range mends {
		path := templates + m.file
		text := string(generated[path])
		if found := strings.Count(text, m.from); found != 1 {
			return fmt.Errorf("%s: this is not there once, but %d times, and cannot be mended:\n%s", path, found, m.from)
		}
		generated[path] = []byte(strings.Replace(text, m.from, m.to, 1))
	}
	return nil
}

// constantsOf makes of the plugin's values those that are no values of ours.
func constantsOf(values []byte) (*strings.Replacer, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return nil, fmt.Errorf("the plugin's values.yaml: %w", err)
	}
	var pairs []string
	for _, path := range constants {
		value := at(&document, path)
		if value == nil {
			return nil, fmt.Errorf("the plugin's values.yaml has no %s", path)
		}
		pairs = append(pairs, "{{ .Values."+path+" }}", value.Value)
	}
	return strings.NewReplacer(pairs...), nil
}

var (
	valueOf = regexp.MustCompile(`\.Values((?:\.[a-zA-Z]+)+)`)
	include = regexp.MustCompile(`include "([^"]+)"`)
	define  = regexp.MustCompile(`define "([^"]+)"`)
)

// check says where a template asks for what the chart does not have: a value, or a template.
func check(chart tree) error {
	var values yaml.Node
	if err := yaml.Unmarshal(chart["values.yaml"], &values); err != nil {
		return fmt.Errorf("values.yaml: %w", err)
	}
	var defined []string
	for _, content := range chart {
		for _, found := range define.FindAllSubmatch(content, -1) {
			defined = append(defined, string(found[1]))
		}
	}
	var wrong []error
	for path, content := range chart {
		if !strings.HasPrefix(path, templates) {
			continue
		}
		for _, found := range valueOf.FindAllSubmatch(content, -1) {
			if value := strings.TrimPrefix(string(found[1]), "."); at(&values, value) == nil {
				wrong = append(wrong, fmt.Errorf("%s asks for %s, which values.yaml does not have", path, value))
			}
		}
		for _, found := range include.FindAllSubmatch(content, -1) {
			if !slices.Contains(defined, string(found[1])) {
				wrong = append(wrong, fmt.Errorf("%s includes %s, which is not defined", path, found[1]))
			}
		}
	}
	return errors.Join(wrong...)
}
