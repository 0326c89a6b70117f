// Package admission is the validating webhook of ChangeTriggeredJobs. It refuses what cannot work, and warns
// of what can work but is probably not meant. Nothing it says holds anything of a watched object.
package admission

// +kubebuilder:webhook:path=/validate-triggers-changejob-dev-v1alpha-changetriggeredjob,mutating=false,failurePolicy=fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=10,groups=triggers.changejob.dev,resources=changetriggeredjobs,verbs=create;update,versions=v1alpha,name=validate.changetriggeredjobs.triggers.changejob.dev,admissionReviewVersions=v1
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
