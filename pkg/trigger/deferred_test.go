package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// selecting is a selection of which only some changes count, and what one process decides on it, second by second.
type selecting struct {
	in     Input
	writes int
}

func selectingOnly(changes []v1alpha.ChangeType, first selection) *selecting {
	s := &selecting{in: scene(selectsW(), counting(objectsW, changes...), noCooldown)}
	s.look(first)
	s.writes = 0
	return s
}

// look decides on what is selected a second later, as the reconciler has it: what status describes is not described again.
func (s *selecting) look(is selection) Decision {
	s.in.Now = s.in.Now.Add(time.Second)
	o := is.observed(sceneKey)
	if DetailsKnown(s.in.Status, &o) {
		o.Objects = nil
	}
	s.in.Observations = []Observation{o}
	d := Decide(s.in)
	if d.Status != nil {
		s.writes++
	}
	s.in = settled(s.in, d)
	return d
}

func TestWhatDoesNotCountInASelectionIsWrittenRarely(t *testing.T) {
	for sentence, c := range map[string]struct {
		counts []v1alpha.ChangeType
		is     func(second int) selection
	}{
		"objects that come, where deletions count":            {[]v1alpha.ChangeType{deleted}, many},
		"the first of them":                                   {[]v1alpha.ChangeType{isUpdated}, func(second int) selection { return many(second % 2) }},
		"objects that go, where creations count":              {[]v1alpha.ChangeType{created}, func(second int) selection { return many(40 - second) }},
		"objects that come, where updates count":              {[]v1alpha.ChangeType{isUpdated}, many},
		"objects that come, where there are too many to know": {[]v1alpha.ChangeType{deleted}, func(second int) selection { return many(second / 29 * 60) }},
		"objects that are updated":                            {[]v1alpha.ChangeType{created, deleted}, func(second int) selection { return many(3).but("object-001", second+2) }},
		"objects that are updated, and others that come":      {[]v1alpha.ChangeType{deleted}, func(second int) selection { return many(second+3).but("object-001", second+2) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := selectingOnly(c.counts, c.is(0))
			for second := 1; second <= 30; second++ {
				require.Nil(t, s.look(c.is(second)).Create)
			}
			assert.LessOrEqual(t, s.writes, 3)
			s.look(c.is(30))
			s.in.Now = s.in.Now.Add(hashInterval)
			s.look(c.is(30))
			entry := entryW(t, s.in, Decision{})
			assert.Equal(t, c.is(30).hash(sceneKey), entry.Fields[0].Hash, "it is written in the end")
			assert.EqualValues(t, len(c.is(30)), *entry.Matched)
			assert.Len(t, entry.Objects, min(len(c.is(30)), v1alpha.MaxObjects))
		})
	}
}

// What is put off is known all the same: what counts is told by what was decided on last.
func TestWhatIsPutOffIsKnown(t *testing.T) {
	ab := selection{"a": 1, "b": 1}
	abc := ab.but("c", 1)
	for sentence, c := range map[string]struct {
		counts []v1alpha.ChangeType
		first  selection
		looks  []selection // each but the last is put off
		told   ObjectChange
	}{
		"one that came and goes was deleted":      {[]v1alpha.ChangeType{deleted}, ab, []selection{abc, ab}, removed("c")},
		"while another one comes, too":            {[]v1alpha.ChangeType{deleted}, ab, []selection{abc, ab.but("d", 1)}, removed("c")},
		"one that went and comes was created":     {[]v1alpha.ChangeType{created}, abc, []selection{ab, abc}, added("c")},
		"one that came and is changed":            {[]v1alpha.ChangeType{isUpdated}, ab, []selection{abc, abc.but("c", 2)}, updated("c")},
		"one that went after others had come":     {[]v1alpha.ChangeType{deleted}, ab, []selection{abc, abc.but("d", 1), abc}, removed("d")},
		"the last one that came, and goes":        {[]v1alpha.ChangeType{deleted}, nil, []selection{{"a": 1}, nil}, removed("a")},
		"one that was updated before it is going": {[]v1alpha.ChangeType{deleted}, ab, []selection{ab.but("a", 2), ab.but("a", 0)}, removed("a")},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := selectingOnly(c.counts, c.first)
			for i, is := range c.looks {
				d := s.look(is)
				if i < len(c.looks)-1 {
					require.Nil(t, d.Create)
					require.Nil(t, d.Status)
					require.NotNil(t, d.Deferred)
					continue
				}
				creates(1)(t, s.in, d)
				naming(0, c.told)(t, s.in, d)
			}
		})
	}
	t.Run("it may be forgotten, and then status tells", func(t *testing.T) {
		s := selectingOnly([]v1alpha.ChangeType{deleted}, ab)
		require.NotNil(t, s.look(abc).Deferred)
		s.in.Deferred, s.in.Marks, s.in.LastStatusWrite = nil, nil, time.Time{}
		require.Nil(t, s.look(ab).Create)
		require.NotNil(t, s.look(ab.but("b", 0)).Create)
	})
}

// Another process may have seen more, and have written it, since a status was put off; or this one has, and has had no answer.
func TestWhatAnotherProcessHasWrittenIsBelieved(t *testing.T) {
	updatePutOff := func(t *testing.T) Input {
		in := scene(refers(objectA), counting(objectA, created), sees(objectA, sum("1")))
		in = settled(in, Decide(in))
		in.Observations = nil
		sees(objectA, sum("2"))(&in)
		d := Decide(in)
		require.NotNil(t, d.Deferred)
		in = settled(in, d)
		in.Status = in.Status.DeepCopy()
		return in
	}
	t.Run("of an object", func(t *testing.T) {
		in := updatePutOff(t)
		in.Status.ResourceHashes[0].Fields[0].Hash, in.Status.ResourceHashes[0].Exists = Absent, no
		in.Observations = nil
		sees(objectA, Absent)(&in)
		require.Nil(t, Decide(in).Create, "a deletion does not count, whoever saw it first")
		in.Observations = nil
		sees(objectA, sum("2"))(&in)
		require.NotNil(t, Decide(in).Create, "a creation does")
	})
	t.Run("of an object that was there all the time", func(t *testing.T) {
		in := updatePutOff(t)
		require.NotNil(t, in.Deferred.over(in.Status), "it is the same, whoever read it")
		in.Status.ResourceHashes[0].Fields[0].Hash = sum("3")
		in.Observations, in.Generation, in.Spec = nil, 2, in.Spec.DeepCopy()
		in.Spec.Resources[0].Changes = nil
		sees(objectA, sum("3"))(&in)
		require.Nil(t, Decide(in).Create, "an edit makes nothing pending")
	})
	t.Run("of a selection", func(t *testing.T) {
		ab := selection{"a": 1, "b": 1}
		s := selectingOnly([]v1alpha.ChangeType{created}, ab.but("c", 1).but("d", 1))
		require.NotNil(t, s.look(ab.but("c", 1)).Deferred)
		other := scene(selectsW(), counting(objectsW, created), keptW(ab))
		s.in.Status = s.in.Status.DeepCopy()
		s.in.Status.ResourceHashes = other.Status.ResourceHashes
		d := s.look(ab.but("c", 1))
		creates(1)(t, s.in, d)
		naming(0, added("c"))(t, s.in, d)
	})
}

func TestWhatIsToBeToldOfASelectionIsWrittenAtOnce(t *testing.T) {
	s := selectingOnly([]v1alpha.ChangeType{deleted}, many(3))
	s.in.Spec.Suspend = yes
	require.Nil(t, s.look(many(4)).Create)
	require.NotNil(t, s.in.Deferred)
	d := s.look(many(3))
	require.NotNil(t, d.Status, "what is pending")
	assert.Equal(t, many(4).hash(sceneKey), fieldOf(t, d.Status, objectsW, "*").LastTriggeredHash, "and what it is compared with")
	assert.Equal(t, many(3).hash(sceneKey), fieldOf(t, d.Status, objectsW, "*").Hash)
}
