//go:build tools

// Package tools names the programs that are built from this module.
package tools

import (
	_ "github.com/containerd/containerd/cmd/containerd"
	_ "github.com/containerd/containerd/cmd/ctr"
	_ "github.com/containerd/containerd/cmd/containerd-shim-runc-v2"
)
