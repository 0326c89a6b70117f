package report

import (
	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Differences is what `diff` tells.
type Differences struct {
	Items []Difference `json:"items"`
}

// Difference is what of a ChangeTriggeredJob's resources differs from the state that its last Job ran for.
type Difference struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Resources []Reference `json:"resources"`
}

// DifferencesOf tells what is pending. Those of whom nothing is are listed with no resources.
func DifferencesOf(ctjs []v1alpha.ChangeTriggeredJob) Differences {
	all := Differences{Items: make([]Difference, 0, len(ctjs))}
	for i := range ctjs {
		ctj := &ctjs[i]
		all.Items = append(all.Items, Difference{
			Namespace: ctj.Namespace, Name: ctj.Name, Resources: PendingOf(ReferencesOf(ctj)),
		})
	}
	return all
}
