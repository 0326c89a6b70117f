package keyedhash

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// SecretName is the name of the Secret that holds the key, in the operator's namespace.
	SecretName = "kube-changejob-hash-key" //nolint:gosec // a name, and no secret
	// DataKey is the entry of the Secret's data that holds the key: KeySize bytes.
	DataKey = "key"
)

// Store keeps the key in its Secret. It needs the right to create Secrets in the operator's namespace, and
// to get and watch the one named SecretName. It never changes a Secret that exists, and never deletes one.
type Store struct {
	secrets   corev1client.SecretInterface
	namespace string
	key       *Key
}

// NewStore returns a store for the Secret in namespace. It reads and writes with a client of its own: a cache
// would ask for the right to list every Secret.
func NewStore(config *rest.Config, namespace string) (*Store, error) {
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("set up the client for secret %s/%s: %w", namespace, SecretName, err)
	}
	return &Store{secrets: client.Secrets(namespace), namespace: namespace}, nil
}

// Load reads the key, and makes the Secret, with a new key, where there is none. A Secret that does not hold
// a key is an error and stays as it is: a new key would give every hash in every status another id, so that
// is for a person to decide.
func (s *Store) Load(ctx context.Context) error {
	secret, err := s.readOrCreate(ctx, generate)
	if err != nil {
		return err
	}
	// Of two replicas that start together, one creates the Secret, and the other reads it: the stored key
	// counts, not the one that was made for it.
	key, err := NewKey(secret.Data[DataKey])
	if err != nil {
		return fmt.Errorf("secret %s: data[%q]: %w; restore it, or delete the Secret to have a new key made", s, DataKey, err)
	}
	s.key = key
	return nil
}

// Key is the key that Load read; nil before. It stays the same for as long as the process runs.
func (s *Store) Key() *Key { return s.key }

// String is the namespace and name of the Secret.
func (s *Store) String() string { return s.namespace + "/" + SecretName }

// NeedLeaderElection says that only the leader mends the Secret; one is enough.
func (s *Store) NeedLeaderElection() bool { return true }

// Start watches the Secret until ctx ends, and creates it anew, with the same key, when it is deleted: the
// next process would otherwise make a new key, and no stored hash could be compared any more. A Secret with
// other contents is left alone, and this process goes on with the key it has; the next one takes what the
// Secret then holds.
//
// It is to be called after Load. What fails is logged and tried again with back-off, from 0.2 s to 30 s, and from 0.2 s again each minute.
func (s *Store) Start(ctx context.Context) error {
	if s.key == nil {
		return fmt.Errorf("secret %s: to be guarded before its key was loaded", s)
	}
	log := logf.FromContext(ctx).WithName("keyedhash").WithValues("secret", s.String())
	delay := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 10, Cap: 30 * time.Second}.
		DelayWithReset(clock.RealClock{}, time.Minute)

	// The condition is never met, so that only the end of ctx ends this.
	_ = delay.Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := s.guard(ctx, log); err != nil && ctx.Err() == nil {
			keyFailures.Inc()
			log.Error(err, "Cannot keep the Secret, will try again")
		}
		return false, nil
	})
	return nil
}

// guard makes sure that the Secret exists, and returns once it does not any more, or once the watch ends.
func (s *Store) guard(ctx context.Context, log logr.Logger) error {
	// First the watch, then the look: a deletion that the look does not see any more comes as an event.
	w, err := s.secrets.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, SecretName).String(),
	})
	if err != nil {
		return fmt.Errorf("watch secret %s: %w", s, err)
	}
	defer w.Stop()
	if _, err := s.readOrCreate(ctx, s.key.bytes); err != nil {
		return err
	}

	for event := range w.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified:
			secret, ok := event.Object.(*corev1.Secret)
			if !ok || bytes.Equal(secret.Data[DataKey], s.key.bytes()) {
				keyDiffers.Set(0)
				continue
			}
			keyDiffers.Set(1)
			log.Info("The Secret does not hold the key that this process uses. It is left as it is: delete it to "+
				"have the key in use written again, or restart the operator to use what it holds", "keyInUse", s.key.ID())
		case watch.Deleted:
			keyDiffers.Set(0)
			keyRewritten.Inc()
			log.Info("The Secret was deleted and will be created with the same key", "keyInUse", s.key.ID())
			return nil
		case watch.Error:
			return fmt.Errorf("watch secret %s: %w", s, apierrors.FromObject(event.Object))
		}
	}
	return nil
}

// readOrCreate returns the Secret, created with the bytes that newKey returns where there was none.
func (s *Store) readOrCreate(ctx context.Context, newKey func() []byte) (*corev1.Secret, error) {
	secret, err := s.secrets.Get(ctx, SecretName, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return secret, s.explain("read", err)
	}
	secret, err = s.secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:   SecretName,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "kube-changejob"},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{DataKey: newKey()},
		// Only deleting it remains possible, and that is mended while the operator runs.
		Immutable: ptr.To(true),
	}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return secret, s.explain("create", err)
	}
	// Between look and create, another replica made it; its key counts.
	secret, err = s.secrets.Get(ctx, SecretName, metav1.GetOptions{})
	return secret, s.explain("read", err)
}

// explain says what was done to which Secret; API errors name the Secret and never quote its data.
func (s *Store) explain(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s secret %s, which holds the key of published hashes: %w", verb, s, err)
}
