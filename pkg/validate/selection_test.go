package validate

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// web selects by a label.
func web() *v1alpha.LabelSelector {
	return &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web"}}
}

func TestSelections(t *testing.T) {
	requirement := func(key string, operator v1alpha.LabelOperator, values ...v1alpha.LabelValue) *v1alpha.LabelSelector {
		return &v1alpha.LabelSelector{MatchExpressions: []v1alpha.LabelRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	huge := &v1alpha.LabelSelector{}
	for i := range 4 {
		r := v1alpha.LabelRequirement{Key: fmt.Sprint("k", i), Operator: "In"}
		for j := range 32 {
			r.Values = append(r.Values, v1alpha.LabelValue(fmt.Sprintf("%063d", j)))
		}
		huge.MatchExpressions = append(huge.MatchExpressions, r)
	}
	many := &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{}}
	for i := range 17 {
		many.MatchLabels[fmt.Sprint("k", i)] = "v"
	}
	for sentence, c := range map[string]struct {
		change func(*v1alpha.ResourceReference)
		want   []string
	}{
		"a selector in a namespace": {func(r *v1alpha.ResourceReference) { r.Selector = web() }, nil},
		"everything in several": {func(r *v1alpha.ResourceReference) {
			r.Selector, r.Namespace, r.Namespaces = &v1alpha.LabelSelector{}, "", []string{"a", "b"}
		}, nil},
		"in namespaces by their labels": {func(r *v1alpha.ResourceReference) { r.Selector, r.Namespace, r.NamespaceSelector = web(), "", web() }, nil},
		"neither name nor selector":     {func(*v1alpha.ResourceReference) {}, []string{"spec.resources[0].name: Required value: must not be empty"}},
		"both": {func(r *v1alpha.ResourceReference) { r.Name, r.Selector = "n", web() },
			[]string{"spec.resources[0].name: Forbidden: exactly one of name and selector must be set"}},
		"namespaces without a selector": {func(r *v1alpha.ResourceReference) {
			r.Name, r.Namespaces, r.NamespaceSelector = "n", []string{"a"}, web()
		},
			[]string{"spec.resources[0].namespaces: Forbidden: may be set only together with selector",
				"spec.resources[0].namespaceSelector: Forbidden: may be set only together with selector"}},
		"namespaces in more than one way": {func(r *v1alpha.ResourceReference) {
			r.Selector, r.Namespaces, r.NamespaceSelector = web(), []string{"a"}, web()
		},
			[]string{"spec.resources[0].namespaces: Forbidden: at most one of namespace, namespaces and namespaceSelector may be set",
				"spec.resources[0].namespaceSelector: Forbidden: at most one of namespace, namespaces and namespaceSelector may be set"}},
		"a namespace that cannot be one": {func(r *v1alpha.ResourceReference) {
			r.Selector, r.Namespace, r.Namespaces = web(), "", []string{"a", "b/c"}
		},
			[]string{`spec.resources[0].namespaces[1]: Invalid value: "b/c": may not contain '/'`}},
		"an operator without values": {func(r *v1alpha.ResourceReference) { r.Selector = requirement("app", "In") },
			[]string{"spec.resources[0].selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"}},
		"an operator that is none": {func(r *v1alpha.ResourceReference) { r.Selector = requirement("app", "Gt", "1") },
			[]string{`spec.resources[0].selector.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator`}},
		"a selector that is too long for a URL": {func(r *v1alpha.ResourceReference) { r.Selector = huge },
			[]string{"spec.resources[0].selector: Invalid value: must be no more than 4096 characters as a text, not 8223"}},
		"too many labels": {func(r *v1alpha.ResourceReference) { r.Selector = many },
			[]string{"spec.resources[0].selector.matchLabels: Too many: 17: must have at most 16 items"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctj := valid()
			ref := &ctj.Spec.Resources[0]
			ref.Name = ""
			c.change(ref)
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
	t.Run("a key that cannot be one is named with its field", func(t *testing.T) {
		ctj := valid()
		ref := &ctj.Spec.Resources[0]
		ref.Name, ref.Selector, ref.Namespace, ref.NamespaceSelector = "", requirement("a b", "Exists"), "", requirement("app", "In", "no value!")
		errs := Spec(ctj)
		if assert.Len(t, errs, 2) {
			assert.Equal(t, "spec.resources[0].selector.matchExpressions[0].key", errs[0].Field)
			assert.Equal(t, "spec.resources[0].namespaceSelector.matchExpressions[0].values[0]", errs[1].Field)
		}
	})
	t.Run("namespaces are counted over all resources", func(t *testing.T) {
		ctj := valid()
		for i := range 5 {
			ref := v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Selector: web()}
			for j := range 60 {
				ref.Namespaces = append(ref.Namespaces, fmt.Sprintf("n-%d-%d", i, j))
			}
			ctj.Spec.Resources = append(ctj.Spec.Resources, ref)
		}
		assert.Equal(t, []string{"spec.resources: Invalid value: must have at most 256 namespaces over all resources, not 300"}, messages(Spec(ctj)))
	})
}

func TestSelectionsFitTheirKinds(t *testing.T) {
	for sentence, c := range map[string]struct {
		ref  v1alpha.ResourceReference
		want []string
	}{
		"a namespaced kind with a namespace":  {v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Selector: web(), Namespace: "n"}, nil},
		"with several":                        {v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Selector: web(), Namespaces: []string{"n"}}, nil},
		"with all":                            {v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Selector: web(), NamespaceSelector: &v1alpha.LabelSelector{}}, nil},
		"with none, which has to be said":     {v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Selector: web()}, []string{"spec.resources[0].namespace: Required value: " + SelectionNamespaceRequired}},
		"a cluster-scoped kind without":       {v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Selector: web()}, nil},
		"a cluster-scoped kind with one":      {v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Selector: web(), Namespace: "n"}, []string{"spec.resources[0].namespace: Forbidden: " + NamespaceNotAllowed}},
		"a cluster-scoped kind with several":  {v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Selector: web(), Namespaces: []string{"n"}}, []string{"spec.resources[0].namespaces: Forbidden: " + NamespaceNotAllowed}},
		"a cluster-scoped kind with selected": {v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Selector: web(), NamespaceSelector: web()}, []string{"spec.resources[0].namespaceSelector: Forbidden: " + NamespaceNotAllowed}},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.ElementsMatch(t, c.want, messages(References([]v1alpha.ResourceReference{c.ref}, cluster, every)))
		})
	}
}

func TestASelectionThatMayHoldTheChangeTriggeredJobItselfDoesNotTriggerIt(t *testing.T) {
	refused := []string{`spec.resources[0].fields[0]: Invalid value: "status": ` + WatchesItself}
	for sentence, c := range map[string]struct {
		change func(*v1alpha.ResourceReference)
		want   []string
	}{
		"in its namespace":               {func(r *v1alpha.ResourceReference) { r.Namespace = "default" }, refused},
		"in several, its own among them": {func(r *v1alpha.ResourceReference) { r.Namespaces = []string{"other", "default"} }, refused},
		"in namespaces by their labels":  {func(r *v1alpha.ResourceReference) { r.NamespaceSelector = web() }, refused},
		"in others":                      {func(r *v1alpha.ResourceReference) { r.Namespaces = []string{"other"} }, nil},
		"only what people write":         {func(r *v1alpha.ResourceReference) { r.Namespace, r.Fields = "default", []string{"spec"} }, nil},
		"another kind, Jobs for example": {func(r *v1alpha.ResourceReference) { r.APIVersion, r.Kind, r.Namespace = "batch/v1", "Job", "default" }, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctj := valid()
			ref := v1alpha.ResourceReference{APIVersion: "triggers.changejob.dev/v1alpha", Kind: "ChangeTriggeredJob", Selector: web(), Fields: []string{"status"}}
			c.change(&ref)
			ctj.Spec.Resources = []v1alpha.ResourceReference{ref}
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
}

func TestASelectionOfItsOwnJobsIsRefused(t *testing.T) {
	refused := []string{"spec.resources[0].selector: Invalid value: " + SelectsItsJobs}
	selecting := func(key string, operator v1alpha.LabelOperator, values ...v1alpha.LabelValue) *v1alpha.LabelSelector {
		return &v1alpha.LabelSelector{MatchExpressions: []v1alpha.LabelRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	for sentence, c := range map[string]struct {
		apiVersion, kind, namespace string
		selector                    *v1alpha.LabelSelector
		want                        []string
	}{
		"all Jobs of its namespace":            {"batch/v1", "Job", "default", &v1alpha.LabelSelector{}, refused},
		"those with the label of its template": {"batch/v1", "Job", "default", selecting("stage", "In", "test"), refused},
		"those of all ChangeTriggeredJobs":     {"batch/v1", "Job", "default", selecting("changejob.dev/owner", "Exists"), refused},
		"its Pods":                             {"v1", "Pod", "default", selecting("pod", "In", "yes"), refused},
		"those of all namespaces":              {"batch/v1", "Job", "", &v1alpha.LabelSelector{}, refused},
		"those of another, whose names it has": {"batch/v1", "Job", "default", selecting("changejob.dev/owner", "In", "build"), nil},
		"those with another label":             {"batch/v1", "Job", "default", selecting("stage", "In", "build"), nil},
		"all but its own":                      {"batch/v1", "Job", "default", selecting("changejob.dev/owner", "NotIn", "watcher"), nil},
		"those of another namespace":           {"batch/v1", "Job", "other", &v1alpha.LabelSelector{}, nil},
		"a Job's label is none of its Pods":    {"v1", "Pod", "default", selecting("stage", "In", "test"), nil},
		"a Pod's label is none of its Job":     {"batch/v1", "Job", "default", selecting("batch.kubernetes.io/job-name", "Exists"), nil},
		"another kind of Job":                  {"other.example/v1", "Job", "default", &v1alpha.LabelSelector{}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctj := valid()
			template, err := ctj.Spec.JobTemplate.Decode()
			require.NoError(t, err)
			template.Labels = map[string]string{"stage": "test", "changejob.dev/owner": "build"}
			template.Spec.Template.Labels = map[string]string{"pod": "yes"}
			ctj.Spec.JobTemplate = v1alpha.NewJobTemplate(*template)
			ref := v1alpha.ResourceReference{APIVersion: c.apiVersion, Kind: c.kind, Namespace: c.namespace, Selector: c.selector, Fields: []string{"status"}}
			if c.namespace == "" {
				ref.NamespaceSelector = &v1alpha.LabelSelector{}
			}
			ctj.Spec.Resources = []v1alpha.ResourceReference{ref}
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
}

// The Pods of every Job have labels that no template names: by them, too, a ChangeTriggeredJob would select its own.
func TestASelectionOfItsOwnPodsByTheLabelsOfEveryJobIsRefused(t *testing.T) {
	refused := []string{"spec.resources[0].selector: Invalid value: " + SelectsItsJobs}
	label := func(key string, operator v1alpha.LabelOperator, values ...v1alpha.LabelValue) v1alpha.LabelRequirement {
		return v1alpha.LabelRequirement{Key: key, Operator: operator, Values: values}
	}
	ordinary := func(*batchv1.JobSpec) {}
	manual := func(spec *batchv1.JobSpec) { spec.ManualSelector = new(true) }
	indexed := func(spec *batchv1.JobSpec) {
		spec.CompletionMode, spec.Completions = new(batchv1.IndexedCompletion), new(int32(3))
	}
	single := func(spec *batchv1.JobSpec) {
		spec.CompletionMode, spec.Completions = new(batchv1.IndexedCompletion), new(int32(1))
	}
	const name, uid, index = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index"
	for sentence, c := range map[string]struct {
		job          func(*batchv1.JobSpec)
		requirements []v1alpha.LabelRequirement
		want         []string
	}{
		"the Pods of all Jobs":                            {ordinary, []v1alpha.LabelRequirement{label(name, "Exists")}, refused},
		"by the label of old":                             {ordinary, []v1alpha.LabelRequirement{label("job-name", "Exists")}, refused},
		"by whose they are":                               {ordinary, []v1alpha.LabelRequirement{label(uid, "Exists")}, refused},
		"by the label of old for that":                    {ordinary, []v1alpha.LabelRequirement{label("controller-uid", "Exists")}, refused},
		"of all Jobs but one":                             {ordinary, []v1alpha.LabelRequirement{label(name, "NotIn", "nightly")}, refused},
		"of all Jobs, with its own label":                 {ordinary, []v1alpha.LabelRequirement{label(name, "Exists"), label("pod", "In", "yes")}, refused},
		"of all Jobs, with another":                       {ordinary, []v1alpha.LabelRequirement{label(name, "Exists"), label("pod", "In", "no")}, nil},
		"of all Jobs but its own":                         {ordinary, []v1alpha.LabelRequirement{label(name, "Exists"), label("changejob.dev/owner", "NotIn", "watcher")}, nil},
		"of one Job":                                      {ordinary, []v1alpha.LabelRequirement{label(name, "In", "nightly")}, nil},
		"of one whose name begins as its own":             {ordinary, []v1alpha.LabelRequirement{label("job-name", "In", "watcher-migrations")}, nil},
		"of one, by its UID":                              {ordinary, []v1alpha.LabelRequirement{label(uid, "In", "0a1b2c3d")}, nil},
		"of no Job":                                       {ordinary, []v1alpha.LabelRequirement{label(name, "DoesNotExist")}, nil},
		"of all Jobs, where its own do not get the label": {manual, []v1alpha.LabelRequirement{label(name, "Exists")}, nil},
		"of no Job, where its own do not get the label":   {manual, []v1alpha.LabelRequirement{label(name, "DoesNotExist")}, refused},
		"the first of each Job":                           {indexed, []v1alpha.LabelRequirement{label(index, "In", "0")}, refused},
		"one that has an index":                           {indexed, []v1alpha.LabelRequirement{label(index, "Exists")}, refused},
		"any but the first":                               {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "0")}, refused},
		"any but the first, where there is no other":      {single, []v1alpha.LabelRequirement{label(index, "NotIn", "0")}, nil},
		"any but all":                                     {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "0", "1", "2")}, nil},
		"any but all, and others that there are not":      {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "2", "0", "7", "1", "x")}, nil},
		"any but one, and as many that there are not":     {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "0", "3", "4", "5")}, refused},
		"any but one, named several times":                {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "0", "0", "0")}, refused},
		"any but one, written otherwise":                  {indexed, []v1alpha.LabelRequirement{label(index, "NotIn", "0", "01", "02")}, refused},
		"the second, written otherwise":                   {indexed, []v1alpha.LabelRequirement{label(index, "In", "01")}, nil},
		"one that its own Jobs do not have":               {indexed, []v1alpha.LabelRequirement{label(index, "In", "3", "x")}, nil},
		"one of a Job with indexes":                       {ordinary, []v1alpha.LabelRequirement{label(index, "Exists")}, nil},
		"what is no selector":                             {ordinary, []v1alpha.LabelRequirement{label(name, "In")}, []string{"spec.resources[0].selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctj := valid()
			template, err := ctj.Spec.JobTemplate.Decode()
			assert.NoError(t, err)
			template.Spec.Template.Labels = map[string]string{"pod": "yes"}
			c.job(&template.Spec)
			ctj.Spec.JobTemplate = v1alpha.NewJobTemplate(*template)
			selector := &v1alpha.LabelSelector{MatchExpressions: c.requirements}
			ctj.Spec.Resources = []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Pod", Namespace: "default", Selector: selector, Fields: []string{"status.phase"}}}
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
}
