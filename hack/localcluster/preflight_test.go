package main

import (
	"reflect"
	"testing"
)

func TestWhatAMachineLacks(t *testing.T) {
	good := machine{
		goVersion: "go1.26.8", memory: 8 * gibibyte,
		folders: []folder{{"the programs", "/bin", 1, 20 * gibibyte}},
	}
	for name, test := range map[string]struct {
		change func(*machine)
		want   []string
	}{
		"a good machine lacks nothing":           {func(*machine) {}, nil},
		"a newer Go will do":                     {func(m *machine) { m.goVersion = "go1.27rc1" }, nil},
		"a development version is believed":      {func(m *machine) { m.goVersion = "devel go1.27-abcdef" }, nil},
		"an unknown memory is no complaint":      {func(m *machine) { m.memory = 0 }, nil},
		"an old Go":                              {func(m *machine) { m.goVersion = "go1.22.1" }, []string{"Go 1.26 or later is needed, this is go1.22.1"}},
		"no Go, or one that may not get another": {func(m *machine) { m.goVersion, m.goError = "", "not found" }, []string{"Go 1.26 or later is needed: not found"}},
		"little memory":                          {func(m *machine) { m.memory = gibibyte }, []string{"1.0 GiB of memory are available, the linker needs 4 GiB"}},
		"a full disk is told once": {func(m *machine) {
			m.folders = []folder{{"Go's build cache", "/home/me/.cache", 1, gibibyte / 2}, {"the programs", "/bin", 1, gibibyte / 2}}
		}, []string{"0.5 GiB are free in /home/me/.cache (Go's build cache), 7 GiB are needed"}},
		"each full disk is told": {func(m *machine) {
			m.folders = []folder{{"Go's build cache", "/c", 1, gibibyte}, {"the programs", "/bin", 2, 2 * gibibyte}}
		}, []string{"1.0 GiB are free in /c (Go's build cache), 7 GiB are needed", "2.0 GiB are free in /bin (the programs), 7 GiB are needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := good
			test.change(&m)
			if got := m.complaints(7); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestThisMachineIsLookedAt(t *testing.T) {
	m := look(t.Context(), ".", "no/such/folder/yet")
	if m.goVersion == "" {
		t.Errorf("no Go: %s", m.goError)
	}
	if len(m.folders) != 3 {
		t.Errorf("folders: %+v", m.folders)
	}
	for _, f := range m.folders {
		if f.free == 0 {
			t.Errorf("nothing free in %s", f.path)
		}
	}
}
