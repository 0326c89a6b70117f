// Package servingcert lays the webhook's certificate out as files, as soon as its Secret holds it.
//
// The rotation keeps the certificate in a Secret, and the webhook's server reads files. A volume of that Secret would join
// the two, but a kubelet refreshes it a minute or more after the Secret has changed: so long would a new installation refuse
// every ChangeTriggeredJob.
package servingcert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// again is how often a Secret that did not change is laid out once more, without a request: what a full disk refused
// is made up for.
const again = time.Minute

// Files lays the certificate and the key of a Secret (tls.crt, tls.key) out in a folder. It needs the right to list and watch
// that one Secret.
type Files struct {
	client *corev1client.CoreV1Client
	secret types.NamespacedName
	dir    string
}

// NewFiles returns the files of the secret in dir, which holds nothing else, and is made where it does not exist.
func NewFiles(config *rest.Config, secret types.NamespacedName, dir string) (*Files, error) {
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("set up the client for secret %s: %w", secret, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the webhook's certificate: %w", err)
	}
	return &Files{client: client, secret: secret, dir: dir}, nil
}

// EnsureSecret creates the Secret, empty, where there is none: the rotation fills one that exists, and ends the operator where
// somebody has deleted it.
func (f *Files) EnsureSecret(ctx context.Context) error {
	secrets := f.client.Secrets(f.secret.Namespace)
	_, err := secrets.Get(ctx, f.secret.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		empty := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Name: f.secret.Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "kube-changejob"},
		}}
		if _, err = secrets.Create(ctx, empty, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			return nil // another replica's
		}
	}
	if err != nil {
		return fmt.Errorf("make sure that there is a secret %s for the webhook's certificate: %w", f.secret, err)
	}
	return nil
}

// NeedLeaderElection says that every replica lays the files out: every one serves the webhook.
func (*Files) NeedLeaderElection() bool { return false }

// Start keeps the files as the Secret is, until ctx ends. A Secret without a certificate, or that goes, leaves them.
// What fails is logged and tried again.
func (f *Files) Start(ctx context.Context) error {
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(f.client.RESTClient(), "secrets", f.secret.Namespace,
			fields.OneTermEqualSelector(metav1.ObjectNameField, f.secret.Name)),
		ObjectType:   &corev1.Secret{},
		ResyncPeriod: again,
		Handler:      f.handler(logf.FromContext(ctx).WithName("servingcert").WithValues("secret", f.secret)),
	})
	informer.RunWithContext(ctx)
	return nil
}

// handler lays out what the Secret holds, where that is a certificate and its key.
func (f *Files) handler(log logr.Logger) cache.ResourceEventHandler {
	follow := func(object any) {
		secret, ok := object.(*corev1.Secret)
		if !ok || len(secret.Data[corev1.TLSCertKey]) == 0 || len(secret.Data[corev1.TLSPrivateKeyKey]) == 0 {
			return
		}
		if err := f.lay(secret.Data); err != nil {
			log.Error(err, "Cannot lay the webhook's certificate out, will try again")
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: follow, UpdateFunc: func(_, object any) { follow(object) }}
}

// names are the files, in the order in which they come to be: who finds the certificate finds its key.
var names = []string{corev1.TLSPrivateKeyKey, corev1.TLSCertKey}

// current is the link to the folder that holds the pair, one of those that match pairs.
const (
	current = "..data"
	pairs   = "..pair-*"
)

// lay puts the pair into a folder of its own and then has the link lead there, as a kubelet does: whoever reads finds
// both of one pair, the old or the new.
func (f *Files) lay(data map[string][]byte) error {
	if f.laid(data) {
		return nil
	}
	next, err := os.MkdirTemp(f.dir, pairs)
	if err != nil {
		return fmt.Errorf("make a folder for the pair: %w", err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(next, name), data[name], 0o600); err != nil {
			return errors.Join(fmt.Errorf("write %s: %w", name, err), os.RemoveAll(next))
		}
	}
	if err := swap(filepath.Base(next), filepath.Join(f.dir, current)); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	for _, name := range names {
		if err := os.Symlink(filepath.Join(current, name), filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	return f.removeBut(filepath.Base(next))
}

// removeBut removes every pair's folder but one: the pair before, and what a process left that ended on the way.
func (f *Files) removeBut(kept string) error {
	folders, err := filepath.Glob(filepath.Join(f.dir, pairs))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if filepath.Base(folder) != kept {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	return err
}

// laid says whether the files hold this pair.
func (f *Files) laid(data map[string][]byte) bool {
	for _, name := range names {
		present, err := os.ReadFile(filepath.Join(f.dir, name)) //nolint:gosec // a flag says which folder
		if err != nil || !bytes.Equal(present, data[name]) {
			return false
		}
	}
	return true
}

// swap makes link lead to target, at one stroke where it led elsewhere.
func swap(target, link string) error {
	fresh := link + "-new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an unfinished link: %w", err)
	}
	if err := os.Symlink(target, fresh); err != nil {
		return fmt.Errorf("link the pair: %w", err)
	}
	if err := os.Rename(fresh, link); err != nil {
		return fmt.Errorf("swap the pair: %w", err)
	}
	return nil
}
