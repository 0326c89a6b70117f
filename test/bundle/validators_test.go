package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/operator-framework/api/pkg/validation"
	"github.com/operator-framework/api/pkg/validation/errors"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// subject is all that validators look at.
type subject struct {
	*manifests.Bundle
	// pkg is the package that a catalog makes of the bundle.
	pkg *manifests.PackageManifest
	// group is what a user installs the bundle with.
	group *operatorsv1.OperatorGroup
}

func newSubject(t *testing.T) *subject {
	bundle := load(t)
	pkg := &manifests.PackageManifest{PackageName: bundle.Package, DefaultChannelName: bundle.DefaultChannel}
	for _, channel := range bundle.Channels {
		pkg.Channels = append(pkg.Channels, manifests.PackageChannel{Name: channel, CurrentCSVName: bundle.CSV.Name})
	}
	return &subject{Bundle: bundle, pkg: pkg, group: &operatorsv1.OperatorGroup{}}
}

func (s *subject) deployment() *v1alpha1.StrategyDeploymentSpec {
	return &s.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0]
}

// object adds an object to the bundle.
func (s *subject) object(apiVersion, kind string, fields map[string]any) {
	fields["apiVersion"], fields["kind"] = apiVersion, kind
	fields["metadata"] = map[string]any{"name": "added"}
	s.Objects = append(s.Objects, &unstructured.Unstructured{Object: fields})
}

// validate returns how many results there are, and what they complain of.
func validate(validator interfaces.Validator, s *subject) (results int, complaints []errors.Error) {
	objects := append(s.ObjectsToValidate(), s.pkg, s.group)
	for _, result := range validator.Validate(objects...) {
		results++
		complaints = append(complaints, append(result.Errors, result.Warnings...)...)
	}
	return results, complaints
}

// indexes answers as docker does for an image that is an index of these platforms. No image is looked at: the
// index that is built is tested beside hack/image.
func indexes(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	const script = `#!/bin/sh
[ "$1" = pull ] || echo '{"manifests":[
  {"platform":{"os":"linux","architecture":"amd64"}}, {"platform":{"os":"linux","architecture":"arm64"}}]}'
`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// TestEachValidatorIsContentAndCatchesABrokenBundle covers all validators there are but the deprecated one for
// OperatorHub, which warns that it is, and checks what three others do.
func TestEachValidatorIsContentAndCatchesABrokenBundle(t *testing.T) {
	indexes(t)
	for _, test := range []struct {
		name      string
		validator interfaces.Validator
		// broken holds, by what the validator then says, how the bundle is broken.
		broken map[string]func(*subject)
	}{
		{
			name: "package", validator: validation.PackageManifestValidator,
			broken: map[string]func(*subject){
				`default channel "fast" not found`: func(s *subject) { s.pkg.DefaultChannelName = "fast" },
			},
		},
		{
			name: "ClusterServiceVersion", validator: validation.ClusterServiceVersionValidator,
			broken: map[string]func(*subject){
				"install modes not found":                           func(s *subject) { s.CSV.Spec.InstallModes = nil },
				"minKubeVersion is not informed":                    func(s *subject) { s.CSV.Spec.MinKubeVersion = "" },
				"provided API should have an example annotation":    func(s *subject) { s.CSV.Annotations["alm-examples"] = "[]" },
				"provided annotation olm.skiprange uses wrong case": func(s *subject) { s.CSV.Annotations["olm.skiprange"] = "<1.0.0" },
				"metadata.name \"kube_changejob\" is invalid":       func(s *subject) { s.CSV.Name = "kube_changejob" },
			},
		},
		{
			name: "CustomResourceDefinition", validator: validation.CustomResourceDefinitionValidator,
			broken: map[string]func(*subject){
				"must be spec.names.plural+": func(s *subject) { s.V1CRDs[0].Spec.Names.Plural = "others" },
				"must have exactly one version marked as storage version": func(s *subject) {
					s.V1CRDs[0].Spec.Versions = append(s.V1CRDs[0].Spec.Versions, *s.V1CRDs[0].Spec.Versions[0].DeepCopy())
					s.V1CRDs[0].Spec.Versions[1].Name = "v1"
				},
			},
		},
		{
			name: "bundle", validator: validation.BundleValidator,
			broken: map[string]func(*subject){
				"not found in bundle": func(s *subject) { s.V1CRDs = nil },
				"present in bundle":   func(s *subject) { s.CSV.Spec.CustomResourceDefinitions.Owned = nil },
				"invalid service account found in bundle": func(s *subject) {
					s.object("v1", "ServiceAccount", map[string]any{})
					s.Objects[len(s.Objects)-1].SetName(s.deployment().Spec.Template.Spec.ServiceAccountName)
				},
				"maximum bundle compressed size with gzip size exceeded": func(s *subject) { s.CompressedSize = 1<<20 + 1 },
				"invalid image pullspec":                                 func(s *subject) { s.CSV.Spec.RelatedImages[0].Image = "Not An Image" },
			},
		},
		{
			name: "OperatorHub", validator: validation.OperatorHubV2Validator,
			broken: map[string]func(*subject){
				"csv.Spec.Provider.Name not specified": func(s *subject) { s.CSV.Spec.Provider.Name = "" },
				"csv.Spec.Maintainers email":           func(s *subject) { s.CSV.Spec.Maintainers[0].Email = "nobody" },
				"csv.Spec.Links url":                   func(s *subject) { s.CSV.Spec.Links[0].URL = "nowhere" },
				"csv.Spec.Icon not specified":          func(s *subject) { s.CSV.Spec.Icon = nil },
			},
		},
		{
			name: "categories", validator: validation.StandardCategoriesValidator,
			broken: map[string]func(*subject){
				"not in the set of standard categories": func(s *subject) { s.CSV.Annotations["categories"] = "Gardening" },
			},
		},
		{
			name: "capabilities", validator: validation.StandardCapabilitiesValidator,
			broken: map[string]func(*subject){
				"is not a valid capabilities level": func(s *subject) { s.CSV.Annotations["capabilities"] = "Telepathy" },
			},
		},
		{
			name: "objects", validator: validation.ObjectValidator,
			broken: map[string]func(*subject){
				"globalDefault field cannot be set to true": func(s *subject) {
					s.object("scheduling.k8s.io/v1", "PriorityClass", map[string]any{"globalDefault": true})
				},
				"permission to create/update poddisruptionbudgets": func(s *subject) {
					s.object("rbac.authorization.k8s.io/v1", "ClusterRole", map[string]any{"rules": []any{map[string]any{
						"apiGroups": []any{"policy"}, "resources": []any{"poddisruptionbudgets"}, "verbs": []any{"create"},
					}}})
				},
			},
		},
		{
			name: "OperatorGroup", validator: validation.OperatorGroupValidator,
			broken: map[string]func(*subject){
				"uses wrong case": func(s *subject) { s.group.Annotations = map[string]string{"olm.providedapis": "any"} },
			},
		},
		{
			name: "community", validator: validation.CommunityOperatorValidator,
			broken: map[string]func(*subject){
				"APIs which were deprecated and removed in v1.22": asBeta,
			},
		},
		{
			name: "removed APIs", validator: validation.AlphaDeprecatedAPIsValidator,
			broken: map[string]func(*subject){
				"deprecated and removed in v1.22": asBeta,
				"deprecated and removed in v1.25": func(s *subject) {
					s.object("policy/v1beta1", "PodDisruptionBudget", map[string]any{"spec": map[string]any{"minAvailable": 1}})
				},
			},
		},
		{
			name: "good practices", validator: validation.GoodPracticesValidator,
			broken: map[string]func(*subject){
				"unable to find the resource requests": func(s *subject) {
					s.deployment().Spec.Template.Spec.Containers[0].Resources.Requests = nil
				},
				"are not following the recommended naming convention":    func(s *subject) { s.Channels = []string{"alpha"} },
				"has an empty description":                               func(s *subject) { s.CSV.Spec.CustomResourceDefinitions.Owned[0].Description = "" },
				"is not following the versioning convention":             func(s *subject) { s.CSV.Name = "kube-changejob" },
				"CSV contains permissions to create CRD. An Operator sh": mayCreateCRDs,
			},
		},
		{
			name: "architectures", validator: validation.MultipleArchitecturesValidator,
			broken: map[string]func(*subject){
				"(linux.s390x) was not found": func(s *subject) { s.CSV.Labels["operatorframework.io/arch.s390x"] = "supported" },
				"CSV is missing the label":    func(s *subject) { delete(s.CSV.Labels, "operatorframework.io/arch.arm64") },
				"node affinity":               func(s *subject) { s.deployment().Spec.Template.Spec.Affinity = nil },
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			results, complaints := validate(test.validator, newSubject(t))
			assert.Positive(t, results, "it looks at something")
			assert.Empty(t, complaints)
			for says, breaks := range test.broken {
				broken := newSubject(t)
				breaks(broken)
				_, complaints := validate(test.validator, broken)
				var all strings.Builder
				for _, complaint := range complaints {
					all.WriteString(complaint.Error() + "\n")
				}
				assert.Contains(t, all.String(), says)
			}
		})
	}
}

// asBeta makes a v1beta1 of the CRD, which no cluster has served since v1.22.
func asBeta(s *subject) {
	crd := s.V1CRDs[0]
	beta := &apiextensionsv1beta1.CustomResourceDefinition{ObjectMeta: crd.ObjectMeta}
	beta.Spec.Group, beta.Spec.Version = crd.Spec.Group, crd.Spec.Versions[0].Name
	beta.Spec.Names = apiextensionsv1beta1.CustomResourceDefinitionNames{Kind: crd.Spec.Names.Kind, Plural: crd.Spec.Names.Plural}
	s.V1beta1CRDs, s.V1CRDs = []*apiextensionsv1beta1.CustomResourceDefinition{beta}, []*apiextensionsv1.CustomResourceDefinition{}
}

func mayCreateCRDs(s *subject) {
	rules := &s.CSV.Spec.InstallStrategy.StrategySpec.ClusterPermissions[0].Rules
	rule := (*rules)[0].DeepCopy()
	rule.APIGroups, rule.Resources, rule.Verbs = []string{"apiextensions.k8s.io"}, []string{"customresourcedefinitions"}, []string{"create"}
	*rules = append(*rules, *rule)
}

func TestNoValidatorIsLeftOut(t *testing.T) {
	assert.Len(t, validation.AllValidators, 13, "a new one belongs into the test above")
}
