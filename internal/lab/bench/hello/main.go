// Command hello is the floor for any command of ours: it imports what
// docker-vpn-helper imports and prints one line.
package main

import (
	"fmt"

	_ "github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	_ "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func main() { fmt.Println("hello") }
