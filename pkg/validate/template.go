package validate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

// checkTemplate checks the Job template as far as that goes without the API server: its size, that the Go
// types take it (the schema lets values through that they refuse), and that the names of an Indexed Job's
// Pods still fit.
func checkTemplate(name string, template v1alpha.JobTemplate, path *field.Path) field.ErrorList {
	if len(template.Raw) > v1alpha.MaxJobTemplateBytes {
		return field.ErrorList{field.TooLong(path, "", v1alpha.MaxJobTemplateBytes)}
	}
	decoded, err := template.Decode()
	if err != nil {
		return field.ErrorList{undecodable(path, err)}
	}
	// A name that is too long for any Job is checkName's to tell.
	if limit := job.MaxNameLength(decoded); len(name) > limit && len(name) <= v1alpha.MaxNameLength {
		return field.ErrorList{field.Invalid(path.Child("spec", "completions"), field.OmitValueType{},
			fmt.Sprintf("the Pods of an Indexed Job add their index to its name: with so many completions "+
				"the name %q must be no more than %d characters", name, limit))}
	}
	return nil
}
