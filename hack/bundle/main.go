// Command bundle puts a bundle that operator-sdk has generated into its place, with what the generator does not
// know: the icon, the images, the versions that it replaces, and a createdAt that is new only where something
// else is.
//
// Usage: bundle -generated DIR -icon FILE [-into DIR]
//
// Below both folders are bundle/, which is replaced as a whole, and bundle.Dockerfile.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	generated := flag.String("generated", "", "Folder in which operator-sdk has generated.")
	icon := flag.String("icon", "", "The icon, an SVG.")
	into := flag.String("into", ".", "Folder of the bundle that is replaced.")
	flag.Parse()
	if err := run(*generated, *icon, *into); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(generated, icon, into string) error {
	files, err := read(generated)
	if err != nil {
		return err
	}
	if files[csvPath] == nil {
		return fmt.Errorf("%s: operator-sdk has not generated %s", generated, csvPath)
	}
	svg, err := os.ReadFile(icon)
	if err != nil {
		return err
	}
	before, err := read(into)
	if err != nil {
		return err
	}
	if files, err = finish(files, svg); err != nil {
		return err
	}
	if files, err = keepCreatedAt(before, files); err != nil {
		return err
	}
	return replace(into, files)
}
