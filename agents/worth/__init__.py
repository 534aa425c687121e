"""What messages bring: to which an order is owed, and whether recipients do more than those who get nothing."""
