package validate

import (
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// RunNowAnnotations are those by which a Job is asked for.
var RunNowAnnotations = []string{v1alpha.RunNowAnnotation, v1alpha.RunNowForceAnnotation}

// AnnotationPath is where an annotation stands.
func AnnotationPath(name string) *field.Path {
	return field.NewPath("metadata", "annotations").Key(name)
}

// RunNow returns what is wrong with the value of one of RunNowAnnotations: it can be too long to be remembered.
func RunNow(name, value string) field.ErrorList {
	if utf8.RuneCountInString(value) <= v1alpha.MaxRunNowLength {
		return nil
	}
	return field.ErrorList{field.TooLongCharacters(AnnotationPath(name), "", v1alpha.MaxRunNowLength)}
}
