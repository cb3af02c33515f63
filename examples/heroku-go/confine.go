package main

import "log"

// Before main and before any request: from here on the server may do what selkie/web.yaml permits.
func init() {
	if err := ConfineSelkie(); err != nil {
		log.Fatal(err)
	}
}
