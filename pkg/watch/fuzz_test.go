package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// FuzzObjectContent puts any JSON into an object, deep or large if need be, and sends it through the codec, in a
// list and in a stream, whole and in pieces. It arrives, its neighbours arrive, and its digests are those that the
// plainest means make of it.
func FuzzObjectContent(f *testing.F) {
	f.Add(`{"a":"b"}`, uint16(0), uint32(0), uint16(0))
	f.Add(`{"a":{"b":[1,2.50,-3e7,true,null,"\u00e9\ud83d\ude00\"\\"]}}`, uint16(3), uint32(10), uint16(1))
	f.Add(`"}]{["`, uint16(9000), uint32(0), uint16(7))
	f.Add(`[[],{},"",0]`, uint16(0), uint32(1_500_000), uint16(4096))
	f.Add(`{"z":1,"a":{"y":"\u2028","b":null}}`, uint16(20_000), uint32(1_500_000), uint16(0))
	f.Add("{\"a\":\"\xff\"}", uint16(1), uint32(1), uint16(3))
	f.Add(`{"metadata":{"name":"keep"},"type":"DELETED","items":[]}`, uint16(2), uint32(2), uint16(2))
	paths := []string{"data", "data.content", "data.deep", "*"}
	engine, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}})
	require.NoError(f, err)
	engine.Set(named("owner"), []Reference{refer(f, configMaps, "ns", "keep", paths...)})
	f.Fuzz(func(t *testing.T, content string, depth uint16, size uint32, piece uint16) {
		if !json.Valid([]byte(content)) {
			return
		}
		deep := strings.Repeat("[", int(depth)) + strings.Repeat("]", int(depth))
		long := strings.Repeat("x", int(size%(1600<<10)))
		text := `{"metadata":{"name":"keep","namespace":"ns","resourceVersion":"7"},"data":{"content":` + content +
			`,"deep":{"a":[` + deep + `]},"long":"` + long + `"}}`
		want := map[string]fieldpath.Digest{}
		if value, ok := plain(text); ok {
			data := value["data"].(map[string]any)
			want["data"], want["data.content"], want["data.deep"] = plainDigest(data), plainDigest(data["content"]), plainDigest(data["deep"])
			delete(value["metadata"].(map[string]any), "resourceVersion")
			want["*"] = plainDigest(value)
		}
		check := func(kept *object) {
			require.NotNil(t, kept)
			require.Equal(t, [3]string{"ns", "keep", "7"}, [3]string{kept.Namespace, kept.Name, kept.ResourceVersion})
			require.Len(t, kept.digests, len(paths))
			for i, p := range kept.paths {
				if digest, ok := want[p.path.String()]; ok {
					require.Equal(t, digest, kept.digests[i], p.path)
				}
			}
		}
		reduce := engine.kinds[configMaps].reduce

		stream := event("ADDED", item("before", "1")) + event("MODIFIED", text) + event("DELETED", item("after", "8"))
		events := &eventStream{s: newSplitter(inPieces(stream, piece)), reduce: reduce}
		told, err := events.next()
		require.NoError(t, err)
		require.Equal(t, apiwatch.Modified, told.Type)
		check(told.Object.(*object))
		told, err = events.next()
		require.NoError(t, err)
		require.Equal(t, "8", told.Object.(*object).ResourceVersion, "what comes after it is read")
		_, err = events.next()
		require.ErrorIs(t, err, io.EOF)

		var names []string
		list := `{"items":[` + item("before", "1") + "," + text + "," + item("after", "8") + `],"metadata":{}}`
		_, err = decodeList(inPieces(list, piece), func(o raw) {
			names = append(names, o.name)
			if o.name == "keep" {
				require.Equal(t, text, string(o.json), "bytes are lost")
				check(reduce(apiwatch.Added, o))
			}
		})
		require.NoError(t, err)
		require.Equal(t, []string{"before", "keep", "after"}, names)
	})
}

// inPieces reads a text in pieces of this size, or as they come where it is 0.
func inPieces(text string, size uint16) io.Reader {
	reader := io.Reader(strings.NewReader(text))
	switch {
	case size == 1 && len(text) < 1<<16:
		return iotest.OneByteReader(reader)
	case size > 1:
		return &pieces{reader, int(size)}
	}
	return reader
}

type pieces struct {
	io.Reader
	size int
}

func (p *pieces) Read(into []byte) (int, error) { return p.Reader.Read(into[:min(len(into), p.size)]) }

// plain decodes an object as encoding/json does; ok is false where that is not without loss: for bytes that are no
// UTF-8, and keys that occur twice.
func plain(text string) (value map[string]any, ok bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil || !utf8.ValidString(text) || strings.Contains(text, `\u`) && strings.ContainsRune(plainJSON(value), utf8.RuneError) {
		return nil, false
	}
	again, err := json.Marshal(value)
	return value, err == nil && tokens(string(again)) == tokens(text)
}

func tokens(text string) (count int) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	for {
		if _, err := decoder.Token(); err != nil {
			return count
		}
		count++
	}
}

func plainDigest(value any) fieldpath.Digest { return sha256.Sum256([]byte(plainJSON(value))) }

// plainJSON is canonical JSON: keys sorted, strings without needless escapes, numbers as they are written.
func plainJSON(value any) string {
	switch value := value.(type) {
	case map[string]any:
		keys := slices.Collect(maps.Keys(value))
		slices.SortFunc(keys, func(a, b string) int { return strings.Compare(inQuotes(a), inQuotes(b)) })
		var members []string
		for _, key := range keys {
			members = append(members, plainString(key)+":"+plainJSON(value[key]))
		}
		return "{" + strings.Join(members, ",") + "}"
	case []any:
		var elements []string
		for _, element := range value {
			elements = append(elements, plainJSON(element))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case string:
		return plainString(value)
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	default:
		return "null"
	}
}

func inQuotes(text string) string { return strings.Trim(plainString(text), `"`) }

func plainString(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err)
	}
	return strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(b.String(), "\n"))
}

// FuzzBrokenStream cuts a stream anywhere and puts anything in its place: whatever comes, what came before has
// arrived, nothing panics, and the error holds nothing of it.
func FuzzBrokenStream(f *testing.F) {
	f.Add("", uint16(1))
	f.Add(`{"type":"ADDED","object":{"metadata":{"name":"keep"}}`, uint16(0))
	f.Add(`{"type":"ERROR","object":{"message":"canary"}}`, uint16(0))
	f.Add(strings.Repeat(`{"object":`, 10_000), uint16(0))
	f.Add("\x00\xff\"\\", uint16(30))
	f.Fuzz(func(t *testing.T, rest string, cut uint16) {
		sound := event("ADDED", item("keep", "1"))
		torn := event("MODIFIED", `{"metadata":{"name":"keep"},"data":"canary-in-a-mine"}`)
		stream := sound + torn[:int(cut)%len(torn)] + rest
		told, end := told(stream, false)
		require.NotEmpty(t, told)
		require.Equal(t, "ADDED keep@1", told[0])
		require.Error(t, end)
		require.NotContains(t, end.Error(), "canary")
		var malformed *malformedError
		if !errors.Is(end, io.EOF) && !errors.Is(end, io.ErrUnexpectedEOF) {
			require.ErrorAs(t, end, &malformed)
		}
	})
}
