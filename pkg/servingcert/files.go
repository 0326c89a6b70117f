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

	corev1 "k8s.io/api/core/v1"
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

// Files lays a Secret of type kubernetes.io/tls out in a folder. It needs the right to list and watch that one Secret.
type Files struct {
	client *corev1client.CoreV1Client
	secret types.NamespacedName
	dir    string
}

// NewFiles returns the files of the secret in dir, an existing folder that holds nothing else.
func NewFiles(config *rest.Config, secret types.NamespacedName, dir string) (*Files, error) {
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("set up the client for secret %s: %w", secret, err)
	}
	return &Files{client: client, secret: secret, dir: dir}, nil
}

// NeedLeaderElection says that every replica lays the files out: every one serves the webhook.
func (*Files) NeedLeaderElection() bool { return false }

// Start keeps the files as the Secret is, until ctx ends. A Secret without a certificate, or that goes, leaves them.
// What fails is logged and tried again.
func (f *Files) Start(ctx context.Context) error {
	log := logf.FromContext(ctx).WithName("servingcert").WithValues("secret", f.secret)
	lay := func(object any) {
		secret, ok := object.(*corev1.Secret)
		if !ok || len(secret.Data[corev1.TLSCertKey]) == 0 || len(secret.Data[corev1.TLSPrivateKeyKey]) == 0 {
			return
		}
		if err := f.lay(secret.Data); err != nil {
			log.Error(err, "Cannot lay the webhook's certificate out, will try again")
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(f.client.RESTClient(), "secrets", f.secret.Namespace,
			fields.OneTermEqualSelector(metav1.ObjectNameField, f.secret.Name)),
		ObjectType:   &corev1.Secret{},
		ResyncPeriod: again,
		Handler:      cache.ResourceEventHandlerFuncs{AddFunc: lay, UpdateFunc: func(_, object any) { lay(object) }},
	})
	informer.RunWithContext(ctx)
	return nil
}

// names are the files, in the order in which they come to be: who finds the certificate finds its key.
var names = []string{corev1.TLSPrivateKeyKey, corev1.TLSCertKey}

// current is the link to the folder that holds the pair.
const current = "..data"

// lay puts the pair into a folder of its own and then has the link lead there, as a kubelet does: whoever reads finds
// both of one pair, the old or the new.
func (f *Files) lay(data map[string][]byte) error {
	if f.laid(data) {
		return nil
	}
	next, err := os.MkdirTemp(f.dir, "..pair-")
	if err != nil {
		return fmt.Errorf("make a folder for the pair: %w", err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(next, name), data[name], 0o600); err != nil {
			return errors.Join(fmt.Errorf("write %s: %w", name, err), os.RemoveAll(next))
		}
	}
	link := filepath.Join(f.dir, current)
	before, err := os.Readlink(link)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("find the pair before: %w", err), os.RemoveAll(next))
	}
	if err := swap(filepath.Base(next), link); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	for _, name := range names {
		if err := os.Symlink(filepath.Join(current, name), filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(f.dir, before))
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
