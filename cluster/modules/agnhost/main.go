// Command agnhost is the part of Kubernetes' program of that name that cyclonus' pods use: what listens, what connects.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/kubernetes/test/images/agnhost/connect"
	servehostname "k8s.io/kubernetes/test/images/agnhost/serve-hostname"
)

func main() {
	root := &cobra.Command{Use: "agnhost", SilenceUsage: true}
	root.AddCommand(connect.CmdConnect, servehostname.CmdServeHostname)
	if root.Execute() != nil {
		os.Exit(1)
	}
}
