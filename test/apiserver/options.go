package apiserver

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/hack/port"
)

// Option changes how an API server is started.
type Option func(*envtest.Environment) error

// CRDs installs the custom resource definitions found in these folders or files, relative to the repository's root; without an
// argument those of config/crd/bases. The server is ready only when their kinds are served.
func CRDs(paths ...string) Option {
	if len(paths) == 0 {
		paths = []string{filepath.Join("config", "crd", "bases")}
	}
	return func(env *envtest.Environment) error {
		root, err := Root()
		if err != nil {
			return err
		}
		for _, path := range paths {
			if !filepath.IsAbs(path) {
				path = filepath.Join(root, path)
			}
			env.CRDDirectoryPaths = append(env.CRDDirectoryPaths, path)
		}
		env.ErrorIfCRDPathMissing = true
		return nil
	}
}

// CRD installs this custom resource definition.
func CRD(crds ...*apiextensionsv1.CustomResourceDefinition) Option {
	return func(env *envtest.Environment) error {
		env.CRDs = append(env.CRDs, crds...)
		return nil
	}
}

// FeatureGate sets one feature gate of kube-apiserver.
func FeatureGate(name string, enabled bool) Option {
	return Args("feature-gates", fmt.Sprintf("%s=%t", name, enabled))
}

// WatchList turns streaming lists on or off. Without it the server's own default holds: on in v1.37, off in v1.29.
func WatchList(enabled bool) Option { return FeatureGate("WatchList", enabled) }

// Args adds values to a flag of kube-apiserver, named without dashes. Values of one flag add up, comma separated where
// the flag is a list.
func Args(flag string, values ...string) Option {
	return func(env *envtest.Environment) error {
		args := env.ControlPlane.GetAPIServer().Configure()
		joined := strings.Join(append(args.Get(flag).Get(nil), values...), ",")
		args.Set(flag, joined)
		return nil
	}
}

// Webhooks installs admission webhooks; envtest rewrites them to a local port and makes the certificates, found in
// Env.WebhookInstallOptions after the start.
func Webhooks(options envtest.WebhookInstallOptions) Option {
	return func(env *envtest.Environment) error {
		if options.LocalServingPort == 0 {
			// The operator listens there some time later, so that it must be none that another connection may have got by then.
			free, err := port.Free()
			if err != nil {
				return err
			}
			options.LocalServingHost, options.LocalServingPort = "127.0.0.1", free
		}
		env.WebhookInstallOptions = options
		return nil
	}
}

// AuditLevel is how much of each request the audit log holds.
type AuditLevel string

const (
	// AuditMetadata records who did what to which object and when.
	AuditMetadata AuditLevel = "Metadata"
	// AuditRequestResponse records the bodies too.
	AuditRequestResponse AuditLevel = "RequestResponse"
)

// AuditLog appends one line of JSON to the file for every request that is complete, and for a watch also when it starts. Lines are
// there before the client has its answer. Read it with ReadAuditLog.
func AuditLog(file string, level AuditLevel) Option {
	return auditLog(file, fmt.Sprintf("[{level: %s}]", level))
}

// AuditWritesOf is AuditLog with the bodies of the writes of these resources (by group, such as "batch" and "jobs" or "jobs/status"),
// and without everything else: the log stays small where much else happens.
func AuditWritesOf(file string, resources map[string][]string) Option {
	var selected []string
	for _, group := range slices.Sorted(maps.Keys(resources)) {
		selected = append(selected, fmt.Sprintf("{group: %q, resources: [%s]}", group, strings.Join(resources[group], ", ")))
	}
	return auditLog(file, fmt.Sprintf("[{level: RequestResponse, verbs: [create, update, patch, delete, deletecollection], resources: [%s]}, {level: None}]",
		strings.Join(selected, ", ")))
}

// AuditUsers is AuditLog with what these users ask for, without bodies, and without everything else: the log stays small where others
// do much.
func AuditUsers(file string, users ...string) Option {
	return auditLog(file, fmt.Sprintf("[{level: Metadata, users: [%s]}, {level: None}]", strings.Join(users, ", ")))
}

func auditLog(file, rules string) Option {
	return func(env *envtest.Environment) error {
		policy := file + ".policy.yaml"
		content := fmt.Sprintf("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: %s\n", rules)
		if err := os.WriteFile(policy, []byte(content), 0o600); err != nil {
			return err
		}
		env.ControlPlane.GetAPIServer().Configure().
			Set("audit-policy-file", policy).
			Set("audit-log-path", file).
			Set("audit-log-maxsize", "4096")
		return nil
	}
}
