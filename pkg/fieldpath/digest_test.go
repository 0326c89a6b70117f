package fieldpath

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

const deployment = `{
  "apiVersion": "apps/v1", "kind": "Deployment",
  "metadata": {"name": "web-app", "namespace": "default", "uid": "6f1d", "resourceVersion": "10", "generation": 1,
    "labels": {"app.kubernetes.io/name": "web"}},
  "spec": {"replicas": 3, "template": {"spec": {"containers": [
    {"name": "web", "image": "nginx:1", "resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80}, {"containerPort": 443}]},
    {"name": "sidecar", "image": "envoy:1", "args": ["-a", "-b"]}]}}},
  "status": {"replicas": 3}}`

const configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"app-config","resourceVersion":"1"},` +
	`"data":{"important-key":"1","other-key":"1","app.properties":"a=1","@this":"m","*":"w","a|b":"p","0":"zero"}}`

// edit is a change of an object: old text, new text.
type edit [2]string

func (e edit) apply(t testing.TB, object string) string {
	t.Helper()
	changed := strings.Replace(object, e[0], e[1], 1)
	if !assert.NotEqual(t, object, changed, "the edit changes nothing") {
		t.FailNow()
	}
	return changed
}

func TestAPathSeesWhatItSelectsAndNothingElse(t *testing.T) {
	image := edit{`nginx:1`, `nginx:2`}
	sidecarImage := edit{`envoy:1`, `envoy:2`}
	replicas := edit{`"replicas": 3, `, `"replicas": 4, `}
	limits := edit{`"cpu": "1"`, `"cpu": "2"`}
	label := edit{`"web"}`, `"api"}`}
	port := edit{`80`, `8080`}
	status := edit{`"replicas": 3}`, `"replicas": 2}`}
	important := edit{`"important-key":"1"`, `"important-key":"2"`}
	other := edit{`"other-key":"1"`, `"other-key":"2"`}
	properties := edit{`a=1`, `a=2`}
	configLabel := edit{`"name":"app-config"`, `"name":"app-config","labels":{"a":"b"}`}
	inserted := edit{`{"name": "web"`, `{"name": "init", "image": "i"}, {"name": "web"`}

	for _, c := range []struct {
		path, object string
		seen, unseen []edit
	}{
		// The paths of the user guide.
		{"*", deployment, []edit{image, replicas, limits, label, port, status, inserted}, []edit{
			{`"10"`, `"11"`}, {`"generation": 1`, `"generation": 2`}, {`6f1d`, `77aa`}}},
		{"*", configMap, []edit{important, other, properties, configLabel}, []edit{{`"resourceVersion":"1"`, `"resourceVersion":"2"`}}},
		{"spec.template.spec.containers[*].image", deployment, []edit{image, sidecarImage, inserted},
			[]edit{replicas, limits, label, port, status}},
		{"spec.template.spec.containers[*].resources", deployment, []edit{limits}, []edit{image, replicas, port}},
		{"spec.replicas", deployment, []edit{replicas}, []edit{image, limits, label, status}},
		{"data", configMap, []edit{important, other, properties}, []edit{configLabel}},
		{"data.important-key", configMap, []edit{important}, []edit{other, properties, configLabel}},

		// The spellings of the design.
		{"data['app.properties']", configMap, []edit{properties}, []edit{important}},
		{`data.app\.properties`, configMap, []edit{properties}, []edit{important}},
		{`{.data['app\.properties']}`, configMap, []edit{properties}, []edit{important}},
		{"metadata.labels['app.kubernetes.io/name']", deployment, []edit{label}, []edit{image}},
		{"data['@this']", configMap, []edit{{`"m"`, `"n"`}}, []edit{important}},
		{"data['*']", configMap, []edit{{`"w"`, `"n"`}}, []edit{important}},
		{"data['a|b']", configMap, []edit{{`"p"`, `"n"`}}, []edit{important}},
		{"data['0']", configMap, []edit{{`"zero"`, `"n"`}}, []edit{important}},
		{"data.0", configMap, []edit{{`"zero"`, `"n"`}}, []edit{important}},
		{"data[*]", configMap, []edit{important, other, properties}, []edit{configLabel}},
		{"spec.template.spec.containers[0].image", deployment, []edit{image, inserted}, []edit{sidecarImage, limits}},
		{"spec.template.spec.containers.1.image", deployment, []edit{sidecarImage, inserted}, []edit{image, limits}},
		{"spec.template.spec.containers[0]", deployment, []edit{image, limits, port}, []edit{sidecarImage}},
		{"spec.template.spec.containers[*]", deployment, []edit{image, limits, port, sidecarImage, inserted}, []edit{replicas}},
		{"spec.template.spec.containers.#", deployment, []edit{inserted}, []edit{image, sidecarImage}},
		{"spec.template.spec.containers.#.image", deployment, []edit{image, sidecarImage, inserted}, []edit{limits}},
		{"spec.template.spec.containers[*].ports[*].containerPort", deployment, []edit{port, inserted}, []edit{image}},
		{"spec.template.spec.containers[*].ports.#", deployment,
			[]edit{{`{"containerPort": 80}, `, ``}}, []edit{port, image}},

		// Filters.
		{`spec.template.spec.containers[?(@.name=="web")].image`, deployment, []edit{image}, []edit{sidecarImage, inserted, limits}},
		{`spec.template.spec.containers.#(name=="web")#.image`, deployment, []edit{image}, []edit{sidecarImage, inserted}},
		{`spec.template.spec.containers.#(name=="web").image`, deployment, []edit{image}, []edit{sidecarImage, inserted}},
		{`spec.template.spec.containers[?(@.name!="web")].image`, deployment, []edit{sidecarImage, inserted}, []edit{image}},
		{`spec.template.spec.containers[?(@.image%"nginx*")]`, deployment, []edit{image, limits, port}, []edit{sidecarImage, inserted}},
		{`spec.template.spec.containers[?(@.image!%'n?inx*')].image`, deployment, []edit{sidecarImage}, []edit{limits}},
		{`spec.template.spec.containers[?(@.args)].image`, deployment, []edit{sidecarImage}, []edit{image, inserted}},
		{`spec.template.spec.containers[?(@.args[0]=="-a")].image`, deployment, []edit{sidecarImage}, []edit{image}},
		{`spec.template.spec.containers[?(@.resources.limits.cpu=="1")].name`, deployment, []edit{limits, {`"web", `, `"w", `}}, []edit{image}},
		{`spec.template.spec.containers[*].ports[?(@.containerPort>=443)]`, deployment,
			[]edit{port, {`443}`, `444}`}, {`443}`, `442}`}}, []edit{image, {`80}`, `81}`}}},
		{`spec.template.spec.containers[*].args[?(@<"-b")]`, deployment, []edit{{`"-a"`, `"-A"`}}, []edit{{`"-b"`, `"-c"`}}},
	} {
		t.Run(c.path, func(t *testing.T) {
			path := compile(t, c.path)
			before := path.Digest([]byte(c.object))
			assert.False(t, before.IsAbsent())
			for _, e := range c.seen {
				assert.NotEqual(t, before, path.Digest([]byte(e.apply(t, c.object))), "%s → %s", e[0], e[1])
			}
			for _, e := range c.unseen {
				assert.Equal(t, before, path.Digest([]byte(e.apply(t, c.object))), "%s → %s", e[0], e[1])
			}
		})
	}
}

func TestFiltersCompareAsGJSONDoes(t *testing.T) {
	const object = `{"l":[{"s":"b","n":2,"t":true,"f":false,"z":null,"o":{},"k.(e)|\"y":1}]}`
	for filter, matches := range map[string]bool{
		`@.s=="b"`: true, `@.s="b"`: true, `@.s=='b'`: true, `@.s=="c"`: false, `@.s!="c"`: true, `@.s!="b"`: false,
		`@.s<"c"`: true, `@.s<"b"`: false, `@.s<="b"`: true, `@.s>"a"`: true, `@.s>"b"`: false, `@.s>="b"`: true,
		`@.s%"*"`: true, `@.s%"?"`: true, `@.s%"??"`: false, `@.s!%"a*"`: true, `@.s!%"b*"`: false, `@.s==""`: false,
		`@.n==2`: true, `@.n==2.0`: true, `@.n==-2`: false, `@.n!=3`: true, `@.n<3`: true, `@.n<=2`: true, `@.n>1e0`: true,
		`@.n>=2`: true, `@.n>2`: false, `@.n=="2"`: true,
		`@.t==true`: true, `@.t==false`: false, `@.t!=false`: true, `@.f==false`: true, `@.f!=true`: true, `@.f==true`: false,
		`@.t>false`: true, `@.f<true`: true,
		`@.z`: true, `@.z=="x"`: false, `@.z!="x"`: false, `@.o`: true, `@.o=="{}"`: false, `@.o!="x"`: false,
		`@.missing`: false, `@.missing==""`: false, `@.missing!="x"`: false, `@.s.deeper`: false,
		`@['k.(e)|"y']==1`: true, `@.k\.\(e\)\|\"y==1`: true, `@['k.(e)|"y']==2`: false,
		`@.s=="\"b\")"`: false,
	} {
		t.Run(filter, func(t *testing.T) {
			path := compile(t, "l[?("+filter+")]")
			assert.Equal(t, matches, !path.Digest([]byte(object)).IsAbsent())
		})
	}
}

func TestATextInAFilterIsTakenLiterally(t *testing.T) {
	path := compile(t, `l[?(@=="a\"b\\)]}")]`)
	assert.False(t, path.Digest([]byte(`{"l":["a\"b\\)]}"]}`)).IsAbsent())
	assert.True(t, path.Digest([]byte(`{"l":["a","a\"b"]}`)).IsAbsent())
}

func TestPlaces(t *testing.T) {
	for sentence, c := range map[string]struct {
		path, before, after string
		same                bool
	}{
		"a value that moves from one element to another": {
			"l[*].x", `{"l":[{"x":1},{}]}`, `{"l":[{},{"x":1}]}`, false},
		"values that change places": {
			"l[*].x", `{"l":[{"x":1},{"x":2}]}`, `{"l":[{"x":2},{"x":1}]}`, false},
		"an element without the field, in front": {
			"l[*].x", `{"l":[{"x":1}]}`, `{"l":[{},{"x":1}]}`, false},
		"an element without the field, at the end": {
			"l[*].x", `{"l":[{"x":1}]}`, `{"l":[{"x":1},{}]}`, true},
		"a value that moves between lists in lists": {
			"l[*][*].x", `{"l":[[{"x":1}],[{}]]}`, `{"l":[[{}],[{"x":1}]]}`, false},
		"a value that moves inside a list in a list": {
			"l[*][*].x", `{"l":[[{"x":1},{}],[]]}`, `{"l":[[{},{"x":1}],[]]}`, false},
		"the values of two lists against those of one": {
			"l[*].m[*]", `{"l":[{"m":[1]},{"m":[2]}]}`, `{"l":[{"m":[1,2]},{"m":[]}]}`, false},
		"a null in place of an absent value": {
			"l[*].x", `{"l":[{"x":1},{}]}`, `{"l":[{"x":1},{"x":null}]}`, false},
		"an element that does not match, in front of one that does": {
			"l[?(@.n==1)].x", `{"l":[{"n":1,"x":1}]}`, `{"l":[{"n":2,"x":9},{"n":1,"x":1}]}`, true},
		"a value that moves from one match to another": {
			"l[?(@.n==1)].x", `{"l":[{"n":1,"x":1},{"n":1}]}`, `{"l":[{"n":1},{"n":1,"x":1}]}`, false},
		"a value that moves from one member to another": {
			"m[*].x", `{"m":{"a":{"x":1},"b":{}}}`, `{"m":{"a":{},"b":{"x":1}}}`, false},
		"members written in another order": {
			"m[*].x", `{"m":{"a":{"x":1},"b":{"x":2}}}`, `{"m":{"b":{"x":2},"a":{"x":1}}}`, true},
		"a list against its only element": {
			"l", `{"l":[1]}`, `{"l":1}`, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			path := compile(t, c.path)
			before, after := path.Digest([]byte(c.before)), path.Digest([]byte(c.after))
			assert.False(t, before.IsAbsent())
			assert.Equal(t, c.same, before == after)
		})
	}
}

func TestAbsent(t *testing.T) {
	const object = `{"s":"{\"a\":1,\"0\":1}","n":1,"z":null,"e":[],"o":{},"es":"","l":[{"x":1},{}],"m":[[],[]],"t":["[1,2]"]}`
	for path, absent := range map[string]bool{
		"*": false, "s": false, "n": false, "z": false, "e": false, "o": false, "es": false,
		"missing": true, "missing.a": true, "missing[*].a": true, "missing[0]": true, "missing.#": true,
		"n.a": true, "z.a": true, "s.a": true, "s[0]": true, "s[*]": true, "n[*]": true, "s.#": true, "o.#": true, "t[*][0]": true, "t[*][*]": true,
		"e[*]": true, "e[*].x": true, "e[0]": true, "o[*]": true, "m[*][*]": true, "m[*]": false, "e.#": false,
		"l[0].x": false, "l[1].x": true, "l[2]": true, "l.x": true, "l['0']": true, "l.00": true,
		"l.18446744073709551616": true, "l[*].y": true, "l[*].x": false,
		"l[?(@.x==1)]": false, "l[?(@.x==2)]": true, "l[?(@.x==1)].y": true, "l.#(x==1).x": false, "l.#(x==2)": true,
		"l.#(x==1).y": true, "o[?(@.x==1)]": true, "o.#(x==1)": true, "s[?(@==1)]": true,
	} {
		t.Run(path, func(t *testing.T) {
			assert.Equal(t, absent, compile(t, path).Digest([]byte(object)).IsAbsent())
		})
	}
}

func TestWhatIsNoJSONObjectIsAbsent(t *testing.T) {
	paths := []*Path{compile(t, "*"), compile(t, "a"), compile(t, "a[*]")}
	for _, object := range []string{
		``, ` `, `null`, `1`, `"{}"`, `[]`, `[{"a":[1]}]`, `{`, `}`, `{"a"`, `{"a"}`, `{"a":`, `{"a":}`, `{"a":[1]`, `{"a":[1],}`,
		`{"a":[1]}x`, `{"a":[1]} {}`, `{a:[1]}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":[1]]`, `{'a':[1]}`, `{"a":[tru]}`,
		`{"a":[nul]}`, `{"a":[falsy]}`, `{"a":[01]}`, `{"a":[1.]}`, `{"a":[.1]}`, `{"a":[1e]}`, `{"a":[+1]}`, `{"a":[-]}`, `{"a":[NaN]}`,
		`{"a":["x]}`, `{"a":["\x"]}`, `{"a":["\u12"]}`, `{"a":["\u12g4"]}`, `{"a":["\`, "{\"a\":[\"\n\"]}", `{"a\u00":1}`,
		`{"a":[1] "b":2}`, "\xef\xbb\xbf{\"a\":[1]}", `{"a":[1],"b":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
	} {
		for _, path := range paths {
			assert.True(t, path.Digest([]byte(object)).IsAbsent(), "%.40s by %s", object, path)
		}
	}
	assert.True(t, paths[0].Digest(nil).IsAbsent())
}

func TestDeepAndHugeValuesAreRead(t *testing.T) {
	deep := strings.Repeat(`{"b":1,"a":`, 9_000) + strings.Repeat("[", 990) + strings.Repeat("]", 990) + strings.Repeat("}", 9_000)
	for name, object := range map[string]string{
		"deep":   `{"a":` + deep + `}`,
		"number": `{"a":` + strings.Repeat("9", 1<<20) + `e` + strings.Repeat("9", 1<<20) + `}`,
		"string": `{"a":"` + strings.Repeat(`\"\\`, 1<<19) + `"}`,
	} {
		for _, path := range []string{"*", "a", "[*]"} {
			assert.False(t, compile(t, path).Digest([]byte(object)).IsAbsent(), "%s by %s", name, path)
		}
		// The longest path that the API takes, over and over into the same values.
		assert.Equal(t, name != "deep", compile(t, strings.Repeat("[*].a", 51)).Digest([]byte(object)).IsAbsent(), name)
	}
}

func TestDigestsAreThoseOfEachPath(t *testing.T) {
	var paths []*Path
	var want []Digest
	for _, expr := range []string{"*", "spec.replicas", "missing", "spec.template.spec.containers[*].image", "metadata", "spec.replicas"} {
		paths = append(paths, compile(t, expr))
		want = append(want, paths[len(paths)-1].Digest([]byte(deployment)))
	}
	assert.Equal(t, want, Digests([]byte(deployment), paths))
	assert.Equal(t, make([]Digest, len(paths)), Digests([]byte(`{"spec"`), paths))
	assert.Empty(t, Digests([]byte(deployment), nil))
}

func TestOnePathServesManyGoroutines(t *testing.T) {
	path := compile(t, `spec.template.spec.containers[?(@.name=="web")].ports[*]`)
	want := path.Digest([]byte(deployment))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				assert.True(t, path.Digest([]byte(configMap)).IsAbsent())
				assert.Equal(t, want, path.Digest([]byte(deployment)))
			}
		})
	}
	wait.Wait()
}

func TestTheObjectIsLeftAsItIs(t *testing.T) {
	object := []byte(deployment)
	Digests(object, []*Path{compile(t, "*"), compile(t, "spec.template.spec.containers[*].image")})
	assert.Equal(t, deployment, string(object))
}
