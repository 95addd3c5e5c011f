"""What results were made from: receipts beside them, and what has changed since."""
