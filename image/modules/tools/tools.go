//go:build tools

// Package tools names the programs that are built from this module.
package tools

import (
	_ "github.com/anchore/grype/cmd/grype"
	_ "github.com/anchore/syft/cmd/syft"
	_ "github.com/derailed/k9s"
	_ "github.com/google/go-containerregistry/cmd/crane"
	_ "github.com/mikefarah/yq/v4"
	_ "github.com/stern/stern"
	_ "github.com/wagoodman/dive"
	_ "helm.sh/helm/v4/cmd/helm"
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
	_ "sigs.k8s.io/kustomize/kustomize/v5"
)
