package internal

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// licenses are phrases that only the text of that license has.
var licenses = map[string]string{
	"Apache-2.0":   "Apache License\n",
	"MIT":          "Permission is hereby granted, free of charge",
	"BSD-3-Clause": "Neither the name of",
}

// TestEachDependencyIsJustified compares the table in docs/design.md with go.mod, and the
// licenses in it with the modules' own.
func TestEachDependencyIsJustified(t *testing.T) {
	text, err := os.ReadFile("../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Dependencies\n")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]string{} // by module: its license
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z.]+/\S+) \| (\S+) \| (.{20,}) \|$`).FindAllStringSubmatch(section, -1) {
		listed[row[1]] = row[2]
	}
	out, err := exec.Command("go", "mod", "edit", "-json", "../go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		license, ok := listed[r.Path]
		delete(listed, r.Path)
		if !ok {
			t.Errorf("docs/design.md does not say why go.mod requires %s", r.Path)
			continue
		}
		out, err := exec.Command("go", "mod", "download", "-json", r.Path).Output() // it may not be here yet
		if err != nil {
			t.Fatalf("go mod download %s: %v\n%s", r.Path, err, out)
		}
		var module struct{ Dir string }
		if err := json.Unmarshal(out, &module); err != nil {
			t.Fatal(err)
		}
		if own := licenseOf(t, module.Dir); licenses[license] == "" || !strings.Contains(own, licenses[license]) {
			t.Errorf("%s: docs/design.md has the license %s, and the module has:\n%.300s", r.Path, license, own)
		}
	}
	for path := range listed {
		t.Errorf("docs/design.md lists %s, which go.mod does not require", path)
	}
}

func licenseOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "LICENSE*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no license: %v", dir, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
