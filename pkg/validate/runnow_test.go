package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestTheAnnotationsThatAskForAJobHaveABound(t *testing.T) {
	for _, name := range RunNowAnnotations {
		assert.Empty(t, RunNow(name, ""))
		assert.Empty(t, RunNow(name, strings.Repeat("é", v1alpha.MaxRunNowLength)))
		errs := RunNow(name, strings.Repeat("é", v1alpha.MaxRunNowLength+1))
		if assert.Len(t, errs, 1) {
			assert.Equal(t, "metadata.annotations["+name+"]: Too long: may not be more than 128 characters", errs[0].Error())
		}
	}
}
