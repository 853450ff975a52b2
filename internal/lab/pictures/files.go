package pictures

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Check compares the pictures of a screen with the files in dir. With update it first writes the
// files. The error names a stale file.
func Check(dir, name, title, screen string, update bool) error {
	for _, theme := range Themes {
		file := filepath.Join(dir, name+"-"+theme.Name+".svg")
		picture := []byte(SVG(title, screen, theme))
		if update {
			if err := os.WriteFile(file, picture, 0o644); err != nil {
				return err
			}
		}
		have, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Equal(picture, have) {
			return fmt.Errorf("%s is stale, run 'make pictures'; the screen is now:\n%s", file, screen)
		}
	}
	return nil
}
