package command

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

// pageSize is how many objects are asked for at a time.
const pageSize = 500

// cluster is what the user's kubeconfig leads to, with the user's rights.
type cluster struct {
	client.WithWatch
	config    *rest.Config
	namespace string
	// namespaceGiven is true where the namespace comes from the flag.
	namespaceGiven bool
}

func (p *plugin) cluster(warnings rest.WarningHandler) (*cluster, error) {
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	namespace, given, err := p.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server's priority and fairness knows more
	config.UserAgent = "kubectl-changejob/" + p.Version
	config.WarningHandler = warnings
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	if p.Wrap != nil {
		c = p.Wrap(c)
	}
	return &cluster{WithWatch: c, config: config, namespace: namespace, namespaceGiven: given && *p.flags.Namespace != ""}, nil
}

// quiet takes no warnings of the API server's: what is read needs none.
var quiet = rest.NoWarnings{}

// loud tells what the API server warns of when something is changed, beside the output.
func (p *plugin) loud() rest.WarningHandler {
	return rest.NewWarningWriter(p.Streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
}

// selection says which ChangeTriggeredJobs a command is about.
type selection struct {
	names         []string
	allNamespaces bool
	selector      string
}

// check refuses what contradicts itself, before anything is done.
func (s *selection) check() (labels.Selector, error) {
	selector, err := labels.Parse(s.selector)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the selector cannot be read: %w", err)
	case len(s.names) > 0 && s.allNamespaces:
		return nil, errors.New("names are of one namespace: leave out either the names or --all-namespaces")
	case len(s.names) > 0 && s.selector != "":
		return nil, errors.New("leave out either the names or the selector")
	}
	return selector, nil
}

// triggers returns the ChangeTriggeredJobs that are selected; of those that are named, each must be there.
func (c *cluster) triggers(ctx context.Context, s selection) ([]v1alpha.ChangeTriggeredJob, error) {
	selector, err := s.check()
	if err != nil {
		return nil, err
	}
	var found []v1alpha.ChangeTriggeredJob
	for _, name := range s.names {
		ctj, err := c.trigger(ctx, name)
		if err != nil {
			return nil, err
		}
		found = append(found, *ctj)
	}
	if len(s.names) > 0 {
		return found, nil
	}
	namespace := c.namespace
	if s.allNamespaces {
		namespace = ""
	}
	var page v1alpha.ChangeTriggeredJobList
	for {
		err := c.List(ctx, &page, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector},
			client.Limit(pageSize), client.Continue(page.Continue))
		if err != nil {
			return nil, err
		}
		found = append(found, page.Items...)
		if page.Continue == "" {
			return found, nil
		}
		page = v1alpha.ChangeTriggeredJobList{ListMeta: page.ListMeta}
	}
}

// trigger returns a ChangeTriggeredJob.
func (c *cluster) trigger(ctx context.Context, name string) (*v1alpha.ChangeTriggeredJob, error) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, ctj); err != nil {
		return nil, err
	}
	return ctj, nil
}

// jobs returns the Jobs that bear the name of a ChangeTriggeredJob in their label.
func (c *cluster) jobs(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) ([]batchv1.Job, error) {
	found, _, err := c.jobsAndVersion(ctx, ctj)
	return found, err
}

// jobsAndVersion returns the same, and from which version on a watch tells what has happened since.
func (c *cluster) jobsAndVersion(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) (found []batchv1.Job, version string, err error) {
	var page batchv1.JobList
	for {
		err := c.List(ctx, &page, client.InNamespace(ctj.Namespace), client.MatchingLabels{job.OwnerLabel: ctj.Name},
			client.Limit(pageSize), client.Continue(page.Continue))
		if err != nil {
			return nil, "", err
		}
		found = append(found, page.Items...)
		if page.Continue == "" {
			return found, page.ResourceVersion, nil
		}
		page = batchv1.JobList{ListMeta: page.ListMeta}
	}
}

// watchJobs returns the Jobs that bear the name of a ChangeTriggeredJob in their label, and a watch that tells what becomes of them.
func (c *cluster) watchJobs(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) ([]batchv1.Job, watch.Interface, error) {
	found, version, err := c.jobsAndVersion(ctx, ctj)
	if err != nil {
		return nil, nil, err
	}
	watching, err := c.Watch(ctx, &batchv1.JobList{}, client.InNamespace(ctj.Namespace), client.MatchingLabels{job.OwnerLabel: ctj.Name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})
	return found, watching, err
}

// explain says what an error means where its own words do not.
func explain(err error) string {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Sprintf("the cluster does not serve %ss (%s): is kube-changejob installed there?", v1alpha.Kind, v1alpha.GroupVersion)
	case apierrors.IsUnauthorized(err):
		return "the cluster does not know you (Unauthorized): check your kubeconfig"
	default:
		return err.Error()
	}
}
