package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  a.noArgs,
		RunE:  func(*cobra.Command, []string) error { return a.version() },
	}
}

func (a *app) version() error {
	v := struct {
		Schema  int    `json:"schema"`
		Version string `json:"version"`
		Go      string `json:"go"`
		Commit  string `json:"commit,omitempty"`
	}{Schema: engine.Schema, Version: a.release()}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(v)
	}
	a.ui.Print(fmt.Sprintf("docker-vpn-helper %s (%s)\n", v.Version, v.Go))
	return nil
}

// release returns the program's version.
func (a *app) release() string {
	info, _ := debug.ReadBuildInfo()
	return release(a.Version, info)
}

// unreleased is the version of a build to which the linker gave no version.
const unreleased = "dev"

// release returns the version that the linker was given, or the module's version if it was given
// none, as with `go install …@v1.2.3`.
func release(linked string, info *debug.BuildInfo) string {
	if linked == unreleased && info != nil && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return linked
}
