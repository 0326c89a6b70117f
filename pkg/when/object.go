package when

import (
	"cmp"
	"slices"
	"sync"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Object is an object as expressions read it; the zero value is one that does not exist, which is null.
type Object struct {
	fields ref.Val
	exists bool
}

// Decode reads an object of a kind, given as JSON; nil is one that does not exist. What is no object has no fields, and every expression
// fails of it. Several expressions may read it at once.
//
// So it is of one that would take seconds or most of the memory to read, as none does that is made to be read.
//
// Its apiVersion and kind are those of the kind, whatever the JSON has: an event tells of them, and the items of most lists do not.
// An expression that reads them would come to another thing by the way in which the same version was read, and start a Job.
func Decode(json []byte, kind schema.GroupVersionKind) Object {
	if json == nil {
		return Object{}
	}
	if excessive(json) {
		return Object{exists: true}
	}
	var fields map[string]any
	if utiljson.Unmarshal(json, &fields) != nil || fields == nil {
		return Object{exists: true}
	}
	fields["apiVersion"], fields["kind"] = kind.GroupVersion().String(), kind.Kind
	return Object{fields: readable(fields).(ref.Val), exists: true}
}

// What an object may have that is read. Kubernetes makes none that comes near.
const (
	// maxNested is how many maps and lists, each of which takes some hundred times what `{}` does.
	maxNested = 50_000
	// maxValues is about how many values: to make one of a million of `0,` takes a quarter of a second and seventy megabytes, and to sort as many keys as long.
	maxValues = 100_000
	// maxExponents is how many numbers with an exponent: to read some of those takes a thousand times as long as another.
	maxExponents = 5_000
	// maxKey is the longest name of a field or key, as it is written, in bytes: each look for one in a map takes as much as it is long, and is no call that has a price.
	maxKey = 10_000
)

// excessive says whether an object has more of something than it may.
func excessive(json []byte) bool {
	nested, values, exponents := 0, 0, 0
	quoted, began, length := false, 0, 0 // of the last text
	for i := 0; i < len(json); i++ {
		switch c := json[i]; {
		case quoted && c == '\\':
			i++ // whatever is escaped
		case c == '"':
			if quoted = !quoted; quoted {
				began = i
			} else {
				length = i - began
			}
		case quoted:
		case c == '{', c == '[':
			nested++
		case c == ',':
			values++
		case c|0x20 == 'e' && i > 0 && '0' <= json[i-1] && json[i-1] <= '9':
			exponents++
		case c == ':' && length > maxKey:
			return true
		}
	}
	return nested > maxNested || values > maxValues || exponents > maxExponents
}

// readable replaces the maps inside a value by those that CEL reads, once for all expressions.
func readable(value any) any {
	switch v := value.(type) {
	case map[string]any:
		longest := 0
		for key, inner := range v {
			v[key], longest = readable(inner), max(longest, len(key))
		}
		return &orderedMap{Mapper: types.NewStringInterfaceMap(adapter{}, v), longest: uint64(longest)}
	case []any:
		for i, inner := range v {
			v[i] = readable(inner)
		}
	}
	return value
}

// adapter makes CEL's values of what was decoded.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return inOrder(types.NewStringInterfaceMap(a, v))
	case []any:
		return types.NewDynamicList(a, v)
	default:
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
}

// orderedMap goes through a map in the order of its keys, where Go does in any: what an evaluation costs, and with that whether it fails, depends on which
// key comes first, and the same version of an object would come to this at one time and to that at another.
type orderedMap struct {
	traits.Mapper
	// Sorting takes longer than an evaluation may: it is done once for an object, not for each loop, and not for maps that no expression goes through.
	sort sync.Once
	keys []ref.Val
	// longest is the length of the longest text among the keys, in bytes. A longer one is not looked up, which would take as much as it is long, and is no call
	// that has a price.
	longest uint64
}

// Find implements traits.Mapper.
func (m *orderedMap) Find(key ref.Val) (ref.Val, bool) {
	if size(key) > m.longest {
		return nil, false
	}
	return m.Mapper.Find(key)
}

// Contains implements traits.Container.
func (m *orderedMap) Contains(key ref.Val) ref.Val {
	_, found := m.Find(key)
	return types.Bool(found)
}

// Get implements traits.Indexer.
func (m *orderedMap) Get(key ref.Val) ref.Val {
	found, ok := m.Find(key)
	if !ok {
		return types.ValOrErr(found, "no such key")
	}
	return found
}

// inOrder gives a map an order; other values it returns as they are.
func inOrder(value ref.Val) ref.Val {
	m, ok := value.(traits.Mapper)
	if _, already := value.(*orderedMap); !ok || already {
		return value
	}
	ordered := &orderedMap{Mapper: m}
	for it := m.Iterator(); it.HasNext() == types.True; {
		ordered.longest = max(ordered.longest, size(it.Next()))
	}
	return ordered
}

// Iterator implements traits.Iterable.
func (m *orderedMap) Iterator() traits.Iterator {
	m.sort.Do(func() {
		for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
			m.keys = append(m.keys, it.Next())
		}
		slices.SortFunc(m.keys, compareKeys)
	})
	return types.NewRefValList(adapter{}, m.keys).Iterator()
}

// compareKeys orders keys by their type, then by their value.
func compareKeys(a, b ref.Val) int {
	if a, ok := a.(types.String); ok { // which all those of objects are
		if b, ok := b.(types.String); ok {
			return cmp.Compare(a, b)
		}
	}
	if of := cmp.Compare(a.Type().TypeName(), b.Type().TypeName()); of != 0 {
		return of
	}
	if a, ok := a.(traits.Comparer); ok {
		if of, ok := a.Compare(b).(types.Int); ok {
			return int(of)
		}
	}
	return 0
}
