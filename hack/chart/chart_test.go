package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// generated is what the plugin makes of config/.
var generated = sync.OnceValues(func() (tree, error) {
	work, err := os.MkdirTemp("", "chart")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	kubebuilder, err := program(root + "/bin/kubebuilder")
	if err != nil {
		return nil, err
	}
	o := options{
		kustomize: root + "/bin/kustomize", kubebuilder: kubebuilder, version: "1.2.3",
		config: root + "/config", project: root + "/PROJECT", work: work,
	}
	manifests, err := gather(o.config, o.build)
	if err != nil {
		return nil, err
	}
	return generate(o, manifests)
})

// sources are copies of what the plugin has generated, and of our parts.
func sources(t *testing.T) (fromPlugin, parts tree) {
	t.Helper()
	require.FileExists(t, root+"/bin/kubebuilder", "make bin/kubebuilder")
	require.FileExists(t, root+"/bin/kustomize", "make bin/kustomize")
	files, err := generated()
	require.NoError(t, err)
	parts, err = read(filepath.Join(root, "config", "helm", "parts"))
	require.NoError(t, err)
	return maps.Clone(files), parts
}

func TestTheChartIsMadeOfItsSources(t *testing.T) {
	fromPlugin, parts := sources(t)
	committed, err := read(filepath.Join(root, "config", "helm", "chart"))
	require.NoError(t, err)
	version, _, _ := strings.Cut(string(bytes.SplitAfter(committed["Chart.yaml"], []byte("\nversion: "))[1]), "\n")
	finished, err := finish(fromPlugin, parts, version)
	require.NoError(t, err)
	assert.Equal(t, len(committed), len(finished))
	for path, content := range finished {
		assert.Equal(t, string(committed[path]), string(content), "make helm-chart: %s", path)
	}
}

func TestTheDefinitionStaysWhenTheChartGoes(t *testing.T) {
	fromPlugin, parts := sources(t)
	finished, err := finish(fromPlugin, parts, "1.2.3")
	require.NoError(t, err)
	definition := string(finished["templates/crd/changetriggeredjobs.triggers.changejob.dev.yaml"])
	assert.Contains(t, definition, "  annotations:\n    \"helm.sh/resource-policy\": keep\n")
	assert.NotContains(t, finished, "crds")
}

// With one Secret for both, whoever goes back from cert-manager is refused by Helm, or has two that write it.
func TestEachWayToACertificateHasASecretAndAVolumeOfItsOwn(t *testing.T) {
	fromPlugin, parts := sources(t)
	finished, err := finish(fromPlugin, parts, "1.2.3")
	require.NoError(t, err)
	const own, issued = "kube-changejob-webhook-cert", "kube-changejob-webhook-tls"
	assert.Contains(t, string(finished["templates/webhook-cert/secret.yaml"]), "  name: "+own+"\n")
	assert.Contains(t, string(finished["templates/cert-manager/webhook-cert.yaml"]), "  secretName: "+issued+"\n")
	deployment := string(finished[templates+manager])
	assert.Contains(t, deployment, "          secretName: "+issued+"\n")
	assert.Equal(t, 2, strings.Count(deployment, "name: webhook-tls\n"), "a volume and its mount")
	assert.Equal(t, 2, strings.Count(deployment, "name: webhook-cert\n"), "and another")
	assert.NotContains(t, deployment, own)
}

// An alert about what is not there has to say where it is not.
func TestTheAlertOfAnOperatorThatIsGoneIsAboutTheNamespaceOfTheRelease(t *testing.T) {
	fromPlugin, parts := sources(t)
	finished, err := finish(fromPlugin, parts, "1.2.3")
	require.NoError(t, err)
	assert.Contains(t, string(finished["templates/prometheus/alerts.yaml"]), `expr: absent(changejob_build_info{namespace="{{ .Release.Namespace }}"})`)
}

func TestWhatTheOperatorKnowsByNameIsCalledThat(t *testing.T) {
	fromPlugin, parts := sources(t)
	finished, err := finish(fromPlugin, parts, "1.2.3")
	require.NoError(t, err)
	for path, content := range finished {
		if strings.HasPrefix(path, templates) && !strings.HasSuffix(path, "NOTES.txt") {
			for line := range strings.Lines(string(content)) {
				name, isName := strings.CutPrefix(strings.TrimSpace(line), "name: ")
				assert.False(t, isName && strings.Contains(name, ".Release"), "%s: %s", path, line)
			}
		}
	}
	assert.Contains(t, string(finished["templates/webhook-cert/secret.yaml"]), "  name: kube-changejob-webhook-cert\n")
}

func TestThePluginThatWritesSomethingElseIsNoticed(t *testing.T) {
	replace := func(path, from, to string) func(t *testing.T, fromPlugin, parts tree) {
		return func(t *testing.T, fromPlugin, _ tree) {
			require.Contains(t, string(fromPlugin[path]), from)
			fromPlugin[path] = []byte(strings.ReplaceAll(string(fromPlugin[path]), from, to))
		}
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, fromPlugin, parts tree)
		words  string
	}{
		"what is to be mended is not there": {
			replace(templates+manager, "- {{ tpl . $ }}", "- {{ . }}"), "cannot be mended",
		},
		"a condition that is settled is not asked": {
			replace(templates+"crd/changetriggeredjobs.triggers.changejob.dev.yaml", ".Values.crd.keep", ".Values.crd.kept"), `does not ask ".Values.crd.keep"`,
		},
		"a file is elsewhere": {
			func(_ *testing.T, fromPlugin, _ tree) { delete(fromPlugin, templates+"extras/dashboard.yaml") }, "extras/dashboard.yaml",
		},
		"a value is new": {
			replace(templates+managerRole, "rules:\n", "rules:\n{{- toYaml .Values.rbac.more }}\n"), "asks for rbac.more",
		},
		"a name follows the release": {
			replace(templates+managerRole, "metadata:\n", "metadata:\n  generateName: {{ include \"kube-changejob.fullname\" . }}\n"), "kube-changejob.fullname, which is not defined",
		},
		"a default is not read": {
			replace("values.yaml", "  terminationGracePeriodSeconds:", "  gracePeriod:"), "manager.terminationGracePeriodSeconds",
		},
		"a port is not read": {
			replace("values.yaml", "  port: 8443", "  number: 8443"), "metrics.port",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fromPlugin, parts := sources(t)
			test.change(t, fromPlugin, parts)
			_, err := finish(fromPlugin, parts, "1.2.3")
			assert.ErrorContains(t, err, test.words)
		})
	}
}

func TestObjectsAreShownToThePluginSoThatNoneIsLost(t *testing.T) {
	folder := func(kinds ...string) []byte {
		var documents []string
		for _, kind := range kinds {
			kind, name, _ := strings.Cut(kind, " ")
			name, namespace, _ := strings.Cut(name, "@")
			documents = append(documents, "apiVersion: v1\nkind: "+kind+"\nmetadata:\n  name: "+name+"\n  namespace: \""+namespace+"\"\n")
		}
		return []byte(strings.Join(documents, "\n---\n"))
	}
	gathered, err := gather("config", func(path string) ([]byte, error) {
		switch filepath.Base(path) {
		case "default":
			return folder("Role both@a", "Role one@a", "RoleBinding both@a", "ClusterRole both", "Secret s@a"), nil
		case "certmanager":
			return folder("ClusterRole both", "Issuer first@a", "Issuer second@a"), nil
		default:
			return folder("ConfigMap " + filepath.Base(path) + "@a"), nil
		}
	})
	require.NoError(t, err)
	var got []string
	kind := ""
	for line := range strings.Lines(string(gathered)) {
		if value, ok := strings.CutPrefix(line, "kind: "); ok {
			kind = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "  name: "); ok {
			got = append(got, kind+" "+strings.TrimSpace(value))
		}
	}
	assert.Equal(t, []string{
		"Role both" + namesake, "Role one", "RoleBinding both", "ClusterRole both", "Secret s", "Issuer first", furtherIssuer + " second",
		"ConfigMap prometheus", "ConfigMap grafana", "ConfigMap network-policy",
	}, got)
}
