package keyedhash

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// shared is the API server of this package's tests.
var shared = apiserver.OnDemand()

func server(t *testing.T) *apiserver.Server {
	t.Helper()
	return shared.Server(t)
}

func TestMain(m *testing.M) { os.Exit(apiserver.MainOnDemand(m, shared)) }

// Only the leader mends the Secret, as a manager understands it.
var (
	_ manager.Runnable               = &Store{}
	_ manager.LeaderElectionRunnable = &Store{}
)

func newStore(t *testing.T, config *rest.Config, namespace string) *Store {
	t.Helper()
	store, err := NewStore(config, namespace)
	require.NoError(t, err)
	return store
}

func loaded(t *testing.T, config *rest.Config, namespace string) *Store {
	t.Helper()
	store := newStore(t, config, namespace)
	require.NoError(t, store.Load(t.Context()))
	return store
}

func getSecret(t *testing.T, namespace string) (*corev1.Secret, error) {
	t.Helper()
	secret := &corev1.Secret{}
	err := server(t).Client.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: SecretName}, secret)
	return secret, err
}

func putSecret(t *testing.T, namespace string, data map[string][]byte) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: SecretName}, Data: data}
	require.NoError(t, server(t).Client.Create(t.Context(), secret))
	return secret
}

func deleteSecret(t *testing.T, namespace string) {
	t.Helper()
	require.NoError(t, server(t).Client.Delete(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: SecretName}}))
}

// journal gathers log lines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) write(prefix, args string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, prefix+" "+args)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

// start runs store until the test ends, and returns what it logs.
func start(t *testing.T, store *Store) *journal {
	t.Helper()
	log := &journal{}
	ctx, stop := context.WithCancel(logf.IntoContext(t.Context(), funcr.New(log.write, funcr.Options{Verbosity: 10})))
	ended := make(chan error, 1)
	go func() { ended <- store.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(30 * time.Second):
			t.Error("Start has not returned")
		}
		assertNotShown(t, store, log.String())
	})
	return log
}

func assertNotShown(t *testing.T, store *Store, text string) {
	t.Helper()
	secret := store.Key().bytes()
	assert.NotContains(t, text, string(secret))
	assert.NotContains(t, text, base64.StdEncoding.EncodeToString(secret))
}

func eventually(t *testing.T, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 20*time.Millisecond, message)
}

// holds says whether the Secret, as another one than before, holds the store's key.
func holds(t *testing.T, store *Store, before types.UID) bool {
	secret, err := getSecret(t, store.namespace)
	return err == nil && secret.UID != before && assert.Equal(t, store.Key().bytes(), secret.Data[DataKey])
}

func TestTheFirstStartMakesAKeyAndLaterOnesReadIt(t *testing.T) {
	namespace := server(t).Namespace(t)
	first := loaded(t, server(t).Config, namespace)
	second := loaded(t, server(t).Config, namespace)
	assert.Equal(t, first.Key().ID(), second.Key().ID())

	secret, err := getSecret(t, namespace)
	require.NoError(t, err)
	assert.Equal(t, corev1.SecretTypeOpaque, secret.Type)
	assert.Equal(t, map[string][]byte{DataKey: first.Key().bytes()}, secret.Data)

	secret.Data[DataKey] = generate()
	assert.True(t, apierrors.IsInvalid(server(t).Client.Update(t.Context(), secret)), "an edit by accident is refused")

	elsewhere := loaded(t, server(t).Config, server(t).Namespace(t))
	assert.NotEqual(t, first.Key().ID(), elsewhere.Key().ID(), "each installation has a key of its own")
}

func TestReplicasThatStartTogetherHaveOneKey(t *testing.T) {
	namespace := server(t).Namespace(t)
	config := server(t).Config
	ids := make([]string, 6)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			store, err := NewStore(config, namespace)
			if assert.NoError(t, err) && assert.NoError(t, store.Load(t.Context())) {
				ids[i] = store.Key().ID()
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		assert.Equal(t, ids[0], id)
	}
	assert.NotEmpty(t, ids[0])
}

// faulty is a client with faults: a function that is set stands in for the real call as long as it returns
// an error.
type faulty struct {
	corev1client.SecretInterface
	get, watch func() error
}

func (f *faulty) Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.Secret, error) {
	if f.get != nil {
		if err := f.get(); err != nil {
			return nil, err
		}
	}
	return f.SecretInterface.Get(ctx, name, opts)
}

func (f *faulty) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	if f.watch != nil {
		if err := f.watch(); err != nil {
			return nil, err
		}
	}
	return f.SecretInterface.Watch(ctx, opts)
}

// once returns err the first time.
func once(err error) func() error {
	var asked atomic.Bool
	return func() error {
		if asked.Swap(true) {
			return nil
		}
		return err
	}
}

func TestAReplicaThatLosesTheRaceTakesTheOthersKey(t *testing.T) {
	namespace := server(t).Namespace(t)
	winner := loaded(t, server(t).Config, namespace)

	loser := newStore(t, server(t).Config, namespace)
	notYet := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, SecretName)
	loser.secrets = &faulty{SecretInterface: loser.secrets, get: once(notYet)}
	require.NoError(t, loser.Load(t.Context()))
	assert.Equal(t, winner.Key().ID(), loser.Key().ID())
}

func TestASecretThatHoldsNoKeyIsAnErrorAndStays(t *testing.T) {
	for name, data := range map[string]map[string][]byte{
		"too short":       {DataKey: []byte("tooshort")},
		"too long":        {DataKey: []byte(strings.Repeat("toolong", 10))},
		"empty":           {},
		"another's entry": {"token": []byte("0123456789abcdef0123456789abcdef")},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := server(t).Namespace(t)
			before := putSecret(t, namespace, data)

			store := newStore(t, server(t).Config, namespace)
			err := store.Load(t.Context())
			require.ErrorContains(t, err, namespace+"/"+SecretName)
			require.ErrorContains(t, err, `data["key"]`)
			for _, value := range data {
				assert.NotContains(t, err.Error(), string(value))
			}
			assert.Nil(t, store.Key())
			require.Error(t, store.Start(t.Context()), "nothing can be guarded without a key")

			after, err := getSecret(t, namespace)
			require.NoError(t, err)
			assert.Equal(t, before.UID, after.UID)
			assert.Equal(t, before.ResourceVersion, after.ResourceVersion)
		})
	}
}

func TestANamespaceThatDoesNotExistIsAnError(t *testing.T) {
	require.ErrorContains(t, newStore(t, server(t).Config, "nowhere").Load(t.Context()), "nowhere/"+SecretName)
}

func TestADeletedSecretIsWrittenAgainWithTheSameKey(t *testing.T) {
	namespace := server(t).Namespace(t)
	store := loaded(t, server(t).Config, namespace)
	start(t, store)
	for range 3 {
		before, err := getSecret(t, namespace)
		require.NoError(t, err)
		deleteSecret(t, namespace)
		eventually(t, func() bool { return holds(t, store, before.UID) }, "the Secret was not written again")
	}
}

func TestASecretDeletedBeforeTheStartIsWrittenAgain(t *testing.T) {
	namespace := server(t).Namespace(t)
	store := loaded(t, server(t).Config, namespace)
	deleteSecret(t, namespace)
	start(t, store)
	eventually(t, func() bool { return holds(t, store, "") }, "the Secret was not written again")
}

func TestAnotherKeyIsLeftAloneUntilItIsDeleted(t *testing.T) {
	namespace := server(t).Namespace(t)
	store := loaded(t, server(t).Config, namespace)
	deleteSecret(t, namespace)
	other := putSecret(t, namespace, map[string][]byte{DataKey: generate()})

	failures := testutil.ToFloat64(keyFailures)
	log := start(t, store)
	eventually(t, func() bool { return strings.Contains(log.String(), "does not hold the key") }, "nobody was told")
	id := store.Key().ID()
	now, err := getSecret(t, namespace)
	require.NoError(t, err)
	assert.Equal(t, other.ResourceVersion, now.ResourceVersion, "the other key stays")
	assert.NotEqual(t, id, loaded(t, server(t).Config, namespace).Key().ID(), "the next process takes the other key")
	assert.NotContains(t, log.String(), string(other.Data[DataKey]))
	assert.InDelta(t, 1, testutil.ToFloat64(keyDiffers), 0, "it is told of for as long as it lasts, though nothing happens any more")
	assert.InDelta(t, failures, testutil.ToFloat64(keyFailures), 0, "nothing has failed")

	deleteSecret(t, namespace)
	eventually(t, func() bool { return holds(t, store, other.UID) }, "the key in use was not written again")
	assert.Zero(t, testutil.ToFloat64(keyDiffers))
	assert.Equal(t, id, store.Key().ID())
}

func TestTheRightsThatTheStoreNeedsAreThoseOfOneName(t *testing.T) {
	namespace := server(t).Namespace(t)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "hash-key"}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "watch"}, ResourceNames: []string{SecretName}},
		}},
		&rbacv1.RoleBinding{ObjectMeta: meta,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "operator"}}},
	} {
		require.NoError(t, server(t).Client.Create(t.Context(), object))
	}
	config := server(t).User(t, "operator")
	eventually(t, func() bool {
		store, err := NewStore(config, namespace)
		return err == nil && store.Load(t.Context()) == nil
	}, "the rights do not suffice to load")

	store := loaded(t, config, namespace)
	log := start(t, store)
	before, err := getSecret(t, namespace)
	require.NoError(t, err)
	deleteSecret(t, namespace)
	eventually(t, func() bool { return holds(t, store, before.UID) }, "the rights do not suffice to mend")
	assert.NotContains(t, log.String(), "forbidden")
}

func TestAFailureIsLoggedAndTriedAgain(t *testing.T) {
	for name, fault := range map[string]func(*faulty){
		"the watch fails":             func(f *faulty) { f.watch = once(errors.New("connection refused")) },
		"the look fails":              func(f *faulty) { f.get = once(errors.New("connection refused")) },
		"the server has forgotten it": func(f *faulty) { f.watch = once(apierrors.NewResourceExpired("connection refused")) },
	} {
		t.Run(name, func(t *testing.T) {
			namespace := server(t).Namespace(t)
			store := loaded(t, server(t).Config, namespace)
			broken := &faulty{SecretInterface: store.secrets}
			fault(broken)
			store.secrets = broken
			deleteSecret(t, namespace)

			log := start(t, store)
			eventually(t, func() bool { return holds(t, store, "") }, "the Secret was not written again")
			assert.Contains(t, log.String(), "connection refused")
		})
	}
}

func TestTheStoreLeavesNoGoroutineBehind(t *testing.T) {
	config := rest.CopyConfig(server(t).Config)
	store := loaded(t, config, server(t).Namespace(t))
	ignore := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- store.Start(ctx) }()
	eventually(t, func() bool { return goleak.Find(ignore, goleak.IgnoreTopFunction("time.Sleep")) != nil }, "nothing was started")
	stop()
	require.NoError(t, <-ended)
	goleak.VerifyNone(t, ignore)
}
