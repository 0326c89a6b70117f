package when

import (
	"maps"
	"slices"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Object is an object as expressions read it; the zero value is one that does not exist, which is null.
type Object struct {
	fields map[string]any
	exists bool
}

// Decode reads an object of a kind, given as JSON; nil is one that does not exist. What is no object has no fields, and every expression
// fails of it. Several expressions may read it at once.
//
// Its apiVersion and kind are those of the kind, whatever the JSON has: an event tells of them, and the items of most lists do not.
// An expression that reads them would come to another thing by the way in which the same version was read, and start a Job.
func Decode(json []byte, kind schema.GroupVersionKind) Object {
	if json == nil {
		return Object{}
	}
	o := Object{exists: true}
	if utiljson.Unmarshal(json, &o.fields) != nil {
		o.fields = nil
	}
	if o.fields != nil {
		o.fields["apiVersion"], o.fields["kind"] = kind.GroupVersion().String(), kind.Kind
	}
	return o
}

// ordered makes CEL's values of what was decoded. It goes through a map in the order of its keys, where Go does in any: what an
// evaluation costs, and with that whether it fails, depends on which key comes first, and the same version of an object would come to this
// at one time and to that at another.
type ordered struct{}

// NativeToValue implements types.Adapter.
func (o ordered) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return orderedMap{types.NewStringInterfaceMap(o, v), v}
	case []any:
		return types.NewDynamicList(o, v)
	default:
		return types.DefaultTypeAdapter.NativeToValue(value)
	}
}

type orderedMap struct {
	traits.Mapper
	fields map[string]any
}

// Iterator implements traits.Iterable.
func (m orderedMap) Iterator() traits.Iterator {
	return types.NewStringList(ordered{}, slices.Sorted(maps.Keys(m.fields))).Iterator()
}
