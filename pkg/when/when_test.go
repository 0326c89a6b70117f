package when

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/common/types/ref"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const rolledOut = `object.metadata.generation == object.status.observedGeneration && object.status.?updatedReplicas.orValue(0) == object.spec.replicas`

// deployments are the kind of the objects here.
var deployments = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

func TestEvaluate(t *testing.T) {
	const deployment = `{"metadata":{"generation":2,"name":"web","annotations":{"n":"1.5"}},"spec":{"replicas":3,"paused":false,"tags":["a","b"]},` +
		`"status":{"observedGeneration":2,"updatedReplicas":3,"phase":"Ready"}}`
	const (
		owned = `object.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'Shop' && o.name == 'shop')`
		other = `{"kind":"Other","name":"shop"}`
	)
	for sentence, c := range map[string]struct {
		expression, object string
		want               Result
	}{
		"fields are read":                               {`object.status.phase == 'Ready'`, deployment, True},
		"and compared":                                  {`object.status.phase == 'Failed'`, deployment, False},
		"numbers are numbers":                           {`object.spec.replicas > 2 && object.spec.replicas < 3.5`, deployment, True},
		"a Deployment is rolled out":                    {rolledOut, deployment, True},
		"or is not":                                     {rolledOut, strings.Replace(deployment, `"updatedReplicas":3`, `"updatedReplicas":2`, 1), False},
		"an optional field that is missing":             {`object.status.?succeeded.orValue(0) > 0`, deployment, False},
		"a field that is missing":                       {`object.status.succeeded > 0`, deployment, Failed},
		"a value of another type":                       {`object.status.phase > 0`, deployment, Failed},
		"has":                                           {`has(object.status.phase) && !has(object.status.succeeded)`, deployment, True},
		"lists":                                         {`object.spec.tags.exists(t, t == 'b')`, deployment, True},
		"the libraries of Kubernetes":                   {`quantity('1Gi').isGreaterThan(quantity('1Mi')) && ip('10.0.0.1').family() == 4`, deployment, True},
		"an object that does not exist is null":         {`object == null`, "", True},
		"and has no fields":                             {`object.status.phase == 'Ready'`, "", Failed},
		"one that exists is not null":                   {`object == null`, deployment, False},
		"what it is, as an item of a list does not say": {`object.apiVersion == 'apps/v1' && object.kind == 'Deployment'`, deployment, True},
		"and as an event says":                          {`object.apiVersion == 'apps/v1' && object.kind == 'Deployment'`, strings.Replace(deployment, `{`, `{"apiVersion":"apps/v1","kind":"Deployment",`, 1), True},
		"what is no object":                             {`object == null`, `[1]`, Failed},
		"what is no JSON":                               {`true`, `{"a":`, Failed},
		"a prefix of the name":                          {`object.metadata.name.startsWith('we')`, deployment, True},
		"or another":                                    {`object.metadata.name.startsWith('app-')`, deployment, False},
		"an owner by its kind and name":                 {owned, `{"metadata":{"ownerReferences":[` + other + `,{"kind":"Shop","name":"shop"}]}}`, True},
		"or another owner":                              {owned, `{"metadata":{"ownerReferences":[` + other + `,{"kind":"Shop","name":"other"}]}}`, False},
		"or none":                                       {owned, deployment, False},
	} {
		t.Run(sentence, func(t *testing.T) {
			e, err := Compile(c.expression)
			require.NoError(t, err)
			assert.Equal(t, c.expression, e.String())
			var object []byte
			if c.object != "" {
				object = []byte(c.object)
			}
			assert.Equal(t, c.want, e.Evaluate(object, deployments))
		})
	}
}

func TestWhatCannotBeCompiled(t *testing.T) {
	for sentence, c := range map[string]struct{ expression, want string }{
		"nothing":            {"", "must not be empty"},
		"no expression":      {"object.status ==", "Syntax error: mismatched input '<EOF>'"},
		"an unknown name":    {"objekt.status == 1", "undeclared reference to 'objekt' (in container '') (line 1, column 1)"},
		"no bool":            {"1 + 1", "must be a bool, not int"},
		"what may be one":    {"object.spec.paused", "must be a bool, not dyn; compare it, as in … == true"},
		"types that differ":  {"'a' == 1", "found no matching overload for '_==_'"},
		"no pattern":         {`object.metadata.name.matches('[')`, "(line 1, column"},
		"what is too long":   {"true || " + strings.Repeat("(", 1020), "must have at most 1024 characters, not 1028"},
		"more than one line": {"true &&\n  objekt", "(line 2, column 3)"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := Compile(c.expression)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestWhatTakesTooMuchFails(t *testing.T) {
	e, err := Compile(`object.l.all(a, object.l.all(b, object.l.all(c, a + b + c >= 0)))`)
	require.NoError(t, err)
	list := "[" + strings.Repeat("1,", 199) + "1]"
	assert.Equal(t, Failed, e.Evaluate([]byte(`{"l":`+list+`}`), deployments))
	assert.Equal(t, True, e.Evaluate([]byte(`{"l":[1,2]}`), deployments), "and holds up no other")

	ten := "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
	e, err = Compile(ten + `.all(a, ` + ten + `.all(b, ` + ten + `.all(c, ` + ten + `.all(d, a + b + c + d >= 0))))`)
	require.NoError(t, err)
	assert.Equal(t, Failed, e.Evaluate([]byte(`{}`), deployments), "whatever the object is")
	assert.Equal(t, Failed, e.Evaluate(nil, deployments))
}

// The engine asks for it under its lock.
func TestWhatAnExpressionComesToWithoutAnObjectIsKnownSinceItWasCompiled(t *testing.T) {
	for expression, want := range map[string]Result{`object == null`: True, `object != null`: False, `object.a == 1`: Failed} {
		e, err := compile(expression)
		require.NoError(t, err)
		evaluations, evaluate := 0, e.program
		e.program = func(object any) (ref.Val, uint64) {
			evaluations++
			return evaluate(object)
		}
		assert.Equal(t, want, e.Evaluate(nil, deployments), expression)
		assert.Zero(t, evaluations)
		e.Evaluate([]byte(`{"a":1}`), deployments)
		assert.Equal(t, 1, evaluations)
	}
}

// large is an object as large as they come: a Pod of so many containers with so many variables each, and as many conditions.
func large(t *testing.T, containers, variables int) []byte {
	t.Helper()
	list := func(count int, item func(i int) map[string]any) []map[string]any {
		items := make([]map[string]any, 0, count)
		for i := range count {
			items = append(items, item(i))
		}
		return items
	}
	whole, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"generation": 2, "name": "web", "labels": map[string]any{"app": "web"}},
		"spec": map[string]any{"replicas": 3, "containers": list(containers, func(i int) map[string]any {
			return map[string]any{"name": fmt.Sprint("container-", i), "image": fmt.Sprintf("registry.example.com/team/app-%d:v1.2.3", i),
				"env": list(variables, func(i int) map[string]any {
					return map[string]any{"name": fmt.Sprint("VARIABLE_", i), "value": strings.Repeat("v", 100)}
				})}
		})},
		"status": map[string]any{
			"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "phase": "Running",
			"containerStatuses": list(containers, func(i int) map[string]any {
				return map[string]any{"name": fmt.Sprint("container-", i), "ready": true, "restartCount": 0, "state": map[string]any{"running": map[string]any{}}}
			}),
			"conditions": append(list(containers-1, func(i int) map[string]any {
				return map[string]any{"type": fmt.Sprint("Condition", i), "status": "True", "reason": "AsExpected"}
			}), map[string]any{"type": "Ready", "status": "True"}, map[string]any{"type": "Complete", "status": "True"}),
		},
		"data": map[string]any{"config": strings.Repeat("a line of a configuration\n", 1000)},
	})
	require.NoError(t, err)
	return whole
}

// What people write is far below the limit, in an object with a hundred of everything; what searches long texts has a test of its own. What
// reads the watch for everybody is held up by no more than the limit.
func TestWhatPeopleWriteIsFarBelowTheLimit(t *testing.T) {
	object := large(t, 100, 5)
	for sentence, expression := range map[string]string{
		"a Deployment is rolled out, as the guide has it": `object.metadata.generation == object.status.observedGeneration && ` +
			`object.status.?updatedReplicas.orValue(0) == object.spec.replicas && object.status.?availableReplicas.orValue(0) == object.spec.replicas && ` +
			`object.status.?replicas.orValue(0) == object.spec.replicas`,
		"a Node is ready, as the guide has it":     `object.status.?conditions.orValue([]).exists(c, c.type == 'Ready' && c.status == 'True')`,
		"a Job has ended, as the examples have it": `object.status.?conditions.orValue([]).exists(c, c.type in ['Complete', 'Failed'] && c.status == 'True')`,
		"a phase":                             `object.status.phase == 'Running' && object.metadata.labels['app'] in ['web', 'db', 'cache']`,
		"all containers are ready":            `object.status.containerStatuses.all(c, c.ready && c.restartCount == 0)`,
		"each image is of one's own registry": `object.spec.containers.all(c, c.image.startsWith('registry.example.com/') && c.image.matches('^[a-z./-]+-[0-9]+:v[0-9.]+$'))`,
		"no variable is empty":                `object.spec.containers.all(c, c.?env.orValue([]).all(e, has(e.value) && e.value != ''))`,
		"how many wait":                       `object.status.containerStatuses.filter(c, !has(c.state.running)).size() == 0`,
		"a text in a configuration":           `!object.data.config.contains('debug: true')`,
	} {
		t.Run(sentence, func(t *testing.T) {
			e, err := Compile(expression)
			require.NoError(t, err)
			assert.Equal(t, True, e.Evaluate(object, deployments))
			_, cost := e.program(Decode(object, deployments).fields)
			assert.Less(t, cost, uint64(costLimit/2))
		})
	}
}

// What searches a text takes as much as the text is long, and as what it looks for is.
func TestHowLongATextCanBeSearched(t *testing.T) {
	concepts, err := os.ReadFile("../../docs/concepts.md")
	require.NoError(t, err)
	for _, c := range []struct {
		pattern           int
		matches, contains string // characters
	}{
		{10, "66,000", "199,000"},
		{20, "39,000", "99,000"},
		{50, "15,000", "39,000"},
		{100, "7,900", "19,000"},
	} {
		row := fmt.Sprintf("| %d characters | %s | %s |", c.pattern, c.matches, c.contains)
		assert.Contains(t, string(concepts), row)
		for expression, longest := range map[string]string{
			`object.text.matches('%s')`: c.matches, `object.text.find('%s') != ''`: c.matches,
			`object.text.contains('%s')`: c.contains,
		} {
			e, err := Compile(fmt.Sprintf(expression, strings.Repeat("y", c.pattern)))
			require.NoError(t, err)
			length, err := strconv.Atoi(strings.ReplaceAll(longest, ",", ""))
			require.NoError(t, err)
			of := func(letter string, length int) []byte {
				return []byte(`{"text":"` + strings.Repeat(letter, length) + `"}`)
			}
			assert.Equal(t, False, e.Evaluate(of("x", length), deployments), "%s: up to there it searches", e)
			assert.Equal(t, False, e.Evaluate(of("é", length), deployments), "%s: characters, not bytes", e)
			assert.Equal(t, Failed, e.Evaluate(of("x", length*11/10), deployments), "%s: and not much further", e)
		}
	}
}

func TestAnExpressionIsCompiledOnceWhileItIsHeld(t *testing.T) {
	const text = `object.metadata.name == 'held'`
	func() {
		held, err := Compile(text)
		require.NoError(t, err)
		again, err := Compile(text)
		require.NoError(t, err)
		assert.Same(t, held, again)
		runtime.KeepAlive(held)
	}()
	assert.Eventually(t, func() bool {
		runtime.GC()
		compiled.mu.Lock()
		defer compiled.mu.Unlock()
		_, kept := compiled.entries[text]
		return !kept
	}, 30*time.Second, 10*time.Millisecond, "what nobody holds is forgotten")
}
