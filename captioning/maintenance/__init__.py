"""What happens to many images: reconcile, clean up, reprocess, retag."""
