package v1alpha

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// LabelSelector selects by labels, as a selector of Kubernetes does: all of matchLabels and matchExpressions must
// hold, and an empty one selects everything. It is a type of its own since everything in it has a bound.
//
// +structType=atomic
type LabelSelector struct {
	// matchLabels are labels and their values, at most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(key, size(key) <= 317)",message="a label's key has at most 317 characters"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Labels"
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	// matchExpressions are requirements on labels, at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Requirements"
	MatchExpressions []LabelRequirement `json:"matchExpressions,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// LabelOperator relates a label to values.
//
// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
type LabelOperator string

// LabelRequirement is what must hold of one label.
type LabelRequirement struct {
	// key of the label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Key"
	Key string `json:"key"`

	// operator is In or NotIn (the label has, or has not, one of values), Exists or DoesNotExist.
	// +required
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Operator"
	Operator LabelOperator `json:"operator"`

	// values are those of In and NotIn, 1 to 32; empty for the other operators.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Values"
	Values []LabelValue `json:"values,omitempty"`
}

// Standard returns the selector as Kubernetes has it.
func (s *LabelSelector) Standard() *metav1.LabelSelector {
	standard := &metav1.LabelSelector{}
	for key, value := range s.MatchLabels {
		if standard.MatchLabels == nil {
			standard.MatchLabels = make(map[string]string, len(s.MatchLabels))
		}
		standard.MatchLabels[key] = string(value)
	}
	for _, r := range s.MatchExpressions {
		values := make([]string, 0, len(r.Values))
		for _, value := range r.Values {
			values = append(values, string(value))
		}
		standard.MatchExpressions = append(standard.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: values})
	}
	return standard
}

// Compile returns what the selector selects. Two that are written in another order have the same text. The error is
// about a key, an operator or a value that cannot be one.
func (s *LabelSelector) Compile() (labels.Selector, error) {
	return metav1.LabelSelectorAsSelector(s.Standard())
}

// Empty reports whether the selector selects everything.
func (s *LabelSelector) Empty() bool { return len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 }

// text is the selector in the form that kubectl takes; empty where it selects everything.
func (s *LabelSelector) text() string {
	compiled, err := s.Compile()
	if err == nil {
		return compiled.String()
	}
	// It selects nothing and is refused elsewhere; it still needs a text that no other has.
	written, _ := json.Marshal(s)
	return fmt.Sprintf("invalid %x", sha256.Sum256(written))
}

// Selection is the text by which status and Jobs name what a reference selects: its selector, and its namespaces where
// it is not one that it selects in, and its `when`. It is empty where the reference names an object. References that say the same in
// another order have the same text; a long one is cut, and ends with a hash of the whole.
// Rights must not go by it: of that hash it has eight bytes, which are few for an author who wants two selections to have one text.
//
// Stored hashes are found by it again: a release that wrote it in another way would take a new baseline.
func (r *ResourceReference) Selection() string {
	if r.Selector == nil {
		return ""
	}
	text := r.Selector.text()
	if text == "" {
		text = "*" // as no selector is written
	}
	switch namespaces := r.EffectiveNamespaces(); {
	case r.NamespaceSelector != nil:
		if of := r.NamespaceSelector.text(); of != "" {
			text += "; namespaces with " + of
		} else {
			text += "; all namespaces"
		}
	case len(namespaces) > 1:
		text += "; namespaces " + strings.Join(namespaces, ",")
	}
	if r.When != "" {
		text += "; when " + r.When
	}
	return cutSelection(text)
}

// SelectedNamespace is the namespace that the reference names its object in, or selects in; empty where there is none,
// and where there may be more than one.
func (r *ResourceReference) SelectedNamespace() string {
	if namespaces := r.EffectiveNamespaces(); len(namespaces) == 1 {
		return namespaces[0]
	}
	return r.Namespace
}

// EffectiveNamespaces are those that the reference names, each once and sorted.
func (r *ResourceReference) EffectiveNamespaces() []string {
	namespaces := r.Namespaces
	if r.Namespace != "" {
		namespaces = []string{r.Namespace}
	}
	namespaces = slices.Clone(namespaces)
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

// cutSelection cuts a text to MaxSelectionLength.
func cutSelection(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= MaxSelectionLength {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	tail := "… " + hex.EncodeToString(sum[:8])
	end := MaxSelectionLength - len(tail)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + tail
}
