package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkBinaries says which program is missing, or would not run in an image that holds nothing else.
func checkBinaries(prefix string) error {
	var errs []error
	for _, arch := range architectures {
		errs = append(errs, checkBinary(prefix+"-"+arch, machines[arch]))
	}
	return errors.Join(errs...)
}

func checkBinary(path string, machine elf.Machine) error {
	program, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: `make build-linux` builds it", path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = program.Close() }()
	if program.Machine != machine {
		return fmt.Errorf("%s is built for %s, not %s", path, program.Machine, machine)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: `make build-linux` builds one that is", path)
		}
	}
	return nil
}
