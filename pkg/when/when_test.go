package when

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rolledOut = `object.metadata.generation == object.status.observedGeneration && object.status.?updatedReplicas.orValue(0) == object.spec.replicas`

func TestEvaluate(t *testing.T) {
	const deployment = `{"metadata":{"generation":2,"name":"web","annotations":{"n":"1.5"}},"spec":{"replicas":3,"paused":false,"tags":["a","b"]},` +
		`"status":{"observedGeneration":2,"updatedReplicas":3,"phase":"Ready"}}`
	for sentence, c := range map[string]struct {
		expression, object string
		want               Result
	}{
		"fields are read":                       {`object.status.phase == 'Ready'`, deployment, True},
		"and compared":                          {`object.status.phase == 'Failed'`, deployment, False},
		"numbers are numbers":                   {`object.spec.replicas > 2 && object.spec.replicas < 3.5`, deployment, True},
		"a Deployment is rolled out":            {rolledOut, deployment, True},
		"or is not":                             {rolledOut, strings.Replace(deployment, `"updatedReplicas":3`, `"updatedReplicas":2`, 1), False},
		"an optional field that is missing":     {`object.status.?succeeded.orValue(0) > 0`, deployment, False},
		"a field that is missing":               {`object.status.succeeded > 0`, deployment, Failed},
		"a value of another type":               {`object.status.phase > 0`, deployment, Failed},
		"has":                                   {`has(object.status.phase) && !has(object.status.succeeded)`, deployment, True},
		"lists":                                 {`object.spec.tags.exists(t, t == 'b')`, deployment, True},
		"the libraries of Kubernetes":           {`quantity('1Gi').isGreaterThan(quantity('1Mi')) && ip('10.0.0.1').family() == 4`, deployment, True},
		"an object that does not exist is null": {`object == null`, "", True},
		"and has no fields":                     {`object.status.phase == 'Ready'`, "", Failed},
		"one that exists is not null":           {`object == null`, deployment, False},
		"what is no object":                     {`object == null`, `[1]`, Failed},
		"what is no JSON":                       {`true`, `{"a":`, Failed},
	} {
		t.Run(sentence, func(t *testing.T) {
			e, err := Compile(c.expression)
			require.NoError(t, err)
			assert.Equal(t, c.expression, e.String())
			var object []byte
			if c.object != "" {
				object = []byte(c.object)
			}
			assert.Equal(t, c.want, e.Evaluate(object))
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
	assert.Equal(t, Failed, e.Evaluate([]byte(`{"l":`+list+`}`)))
	assert.Equal(t, True, e.Evaluate([]byte(`{"l":[1,2]}`)), "and holds up no other")
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
