package bundle

import (
	_ "github.com/operator-framework/api/pkg/manifests"
	_ "github.com/operator-framework/api/pkg/validation"
)
