// Loads a compose file as Docker Compose does, with all its checks, and prints the project as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv, cli.WithProfiles([]string{"*"}))
	exitOn(err)
	project, err := options.LoadProject(context.Background())
	exitOn(err)
	exitOn(json.NewEncoder(os.Stdout).Encode(project))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
