// Command pause holds a pod's namespaces open, and reaps what the pod leaves behind when it is process 1.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	children := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-ended:
			return
		case <-children:
			for {
				gone, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
				if err != nil || gone <= 0 {
					break
				}
			}
		}
	}
}
