package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// The API server waits ten seconds for the webhook. These four, one after the other, leave it one second:
// an answer of our own says more than a time-out.
const (
	discoveryTimeout = 2 * time.Second
	rightsTimeout    = 2 * time.Second
	trialTimeout     = 3 * time.Second
	warningsTimeout  = 2 * time.Second
)

// Options say how the webhook judges.
type Options struct {
	// AuthorizeReferences refuses what the requesting user may not do without the operator: create Jobs, and get
	// what is watched. Without it, who may write ChangeTriggeredJobs in one namespace can learn of any object of
	// the cluster when it changes, and run Jobs in that namespace.
	AuthorizeReferences bool
}

// Register registers the webhook with the manager's webhook server. The manager's scheme must know
// batch/v1, authorization.k8s.io/v1 and ChangeTriggeredJob.
func Register(mgr ctrl.Manager, options Options) error {
	v, err := newValidator(mgr.GetConfig(), mgr.GetHTTPClient(), mgr.GetClient(), options)
	if err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	err = ctrl.NewWebhookManagedBy(mgr, &v1alpha.ChangeTriggeredJob{}).WithValidator(v).Complete()
	if err != nil {
		return fmt.Errorf("register the webhook: %w", err)
	}
	return nil
}

// validator judges requests to create or change a ChangeTriggeredJob.
type validator struct {
	Options
	client    client.Client
	api       rest.Interface
	discovery *discovery
	// evaluating has room for one: who reads an object for an expression holds it. One of many small parts takes some forty times its size.
	evaluating chan struct{}
}

var _ admission.Validator[*v1alpha.ChangeTriggeredJob] = &validator{}

func newValidator(config *rest.Config, httpClient *http.Client, c client.Client, options Options) (*validator, error) {
	api, err := newRawClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return &validator{Options: options, client: c, api: api, discovery: newDiscovery(api, time.Now), evaluating: make(chan struct{}, 1)}, nil
}

// ValidateCreate judges a new ChangeTriggeredJob.
func (v *validator) ValidateCreate(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) (admission.Warnings, error) {
	return v.judge(ctx, creation(ctj))
}

// ValidateUpdate judges a changed spec, and a Job that is newly asked for by annotation. What else changes, and an object that
// is being deleted, pass without any check, so that nothing here can hold up a finalizer or the end of a namespace.
func (v *validator) ValidateUpdate(ctx context.Context, old, ctj *v1alpha.ChangeTriggeredJob) (admission.Warnings, error) {
	if !old.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	if !sameSpec(old, ctj) {
		return v.judge(ctx, update(old, ctj))
	}
	if requests := newRequests(old.Annotations, ctj.Annotations); len(requests) > 0 {
		return v.judgeRequests(ctx, &change{ctj: ctj, requests: requests})
	}
	return nil, nil
}

// ValidateDelete lets every deletion pass; the webhook is not registered for them.
func (v *validator) ValidateDelete(context.Context, *v1alpha.ChangeTriggeredJob) (admission.Warnings, error) {
	return nil, nil
}

// judge goes from what costs nothing to what asks the API server. From tryJob on it acts with the operator's
// rights; so whether the user has them too is asked before, and who has not learns nothing more.
func (v *validator) judge(ctx context.Context, c *change) (admission.Warnings, error) {
	user := v.rightsOfUser(ctx)
	kinds, unfit := v.checkReferences(ctx, c)
	errs := slices.Concat(checkSpec(c), checkRequests(c), unfit)
	if v.AuthorizeReferences {
		errs = append(errs, v.checkRights(ctx, c, user, kinds, unfit)...)
	}
	if err := refusal(c.ctj, errs); err != nil {
		return nil, err
	}
	warnings, err := v.tryJob(ctx, c)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, warnOfRequests(c)...)
	return append(warnings, v.foresee(ctx, c, user)...), nil
}

// checkSpec checks what can be judged from the object alone.
func checkSpec(c *change) field.ErrorList {
	check := validate.SpecUpdate
	if c.creates {
		check = validate.Spec
	}
	return check(c.ctj)
}

// foundKinds are the kinds that a request names, as discovery knows them.
type foundKinds map[schema.GroupVersionKind]foundKind

type foundKind struct {
	servedKind
	err error
}

// of returns what was found; the error is as discovery.find's.
func (f foundKinds) of(kind schema.GroupVersionKind) (servedKind, error) {
	found, ok := f[kind]
	if !ok {
		return servedKind{}, errors.New("nobody has looked for it")
	}
	return found.servedKind, found.err
}

// checkReferences checks that the kinds exist and can be listed, and that namespaces are set as the kinds want them. On an
// update, a kind that was in the spec before may have been uninstalled since, or its discovery be down:
// such a ChangeTriggeredJob can still be edited.
func (v *validator) checkReferences(ctx context.Context, c *change) (foundKinds, field.ErrorList) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	kinds := foundKinds{}
	find := func(kind schema.GroupVersionKind) (bool, error) {
		found, err := v.discovery.find(ctx, kind)
		kinds[kind] = foundKind{found, err}
		if err != nil {
			logf.FromContext(ctx).Info("could not find a referenced kind", "kind", kind.String(), "error", err.Error())
		}
		if err == nil && !found.listable {
			err = validate.ErrNotListable
		}
		return found.namespaced, err
	}
	return kinds, validate.References(c.ctj.Spec.Resources, find, c.isNewKind)
}

// refusal is the answer to the user: nil where nothing is wrong, an answer that invites another try where
// nothing worse is known than that something could not be asked, and else the errors.
func refusal(ctj *v1alpha.ChangeTriggeredJob, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	for _, err := range errs {
		if err.Type != field.ErrorTypeInternal {
			return apierrors.NewInvalid(v1alpha.GroupVersion.WithKind("ChangeTriggeredJob").GroupKind(), ctj.Name, errs)
		}
	}
	return apierrors.NewServiceUnavailable(errs.ToAggregate().Error())
}
